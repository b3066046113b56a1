import sys; sys.path.insert(0, "probes")
import keras, numpy as np
from keras import ops
import keras_aevae as ka
from keras_aevae import VAE, networks
from keras_aevae.engine.gradients import frozen
from base_probe import probe
(x, y), _ = ka.datasets.load("digits")
mlp = lambda d=3, **k: networks.mlp((8, 8, 1), d, hidden=(16,), **k)
class Half(VAE):
    def terms(self, x, outputs):
        with frozen(self.encoder):
            inner = self.infer(x, training=False)
        return {**super().terms(x, outputs), "same": ops.sum(ops.abs(inner["z_mean"] - outputs["z_mean"]), -1)}
def nums(v): return ops.convert_to_numpy(v).copy()
@probe
def by_train_on_batch():
    m = Half(*mlp()); m.compile(keras.optimizers.Adam(0.01))
    print("   must be 0:", [m.train_on_batch(x[:64], return_dict=True)["same"] for _ in range(4)])
@probe
def by_fit():
    m = Half(*mlp()); m.compile(keras.optimizers.Adam(0.01))
    print("   must be 0:", m.fit(x[:256], epochs=3, verbose=0).history["same"])
class G(VAE):
    def terms(self, x, outputs):
        with frozen(self.encoder):
            inner = self.infer(x, training=False)
        return {"penalty": ops.sum(ops.square(inner["z_mean"] - 3.0), -1)}
    def coefficients(self):
        return {"penalty": 1.0}
@probe
def head_gets_gradient():
    m = G(*mlp()); m.compile(keras.optimizers.SGD(0.1))
    b = [nums(v) for v in m.code.head.trainable_variables]
    m.train_on_batch(x[:64])
    print("   head moved", max(np.abs(nums(v) - w).max() for v, w in zip(m.code.head.trainable_variables, b)))
class Nested(G):
    def terms(self, x, outputs):
        with frozen(self.encoder), frozen(self.code):
            inner = self.infer(x, training=False)
        return {"penalty": ops.sum(ops.square(inner["z_mean"] - 3.0), -1)}
@probe
def nested():
    m = Nested(*mlp()); m.compile(keras.optimizers.SGD(0.1))
    b = [nums(v) for v in m.encoder.trainable_variables]
    m.train_on_batch(x[:64])
    print("   encoder moved (must be 0)", max(np.abs(nums(v) - w).max() for v, w in zip(m.encoder.trainable_variables, b)))
