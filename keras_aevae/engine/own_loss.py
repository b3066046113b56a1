"""The base class of Keras models that have their own loss: their training and compiled verbs."""

import functools

import keras
from keras import ops

from keras_aevae.engine import private, replicas
from keras_aevae.engine.fused_adam import fused_adam
from keras_aevae.engine.inference import compiled


class OwnLoss(private.BuildsFromOwnBatch, keras.Model):
    """A Keras model that is compiled without a loss, since `compute_loss` is its own."""

    # What the loss is, and how to choose it instead of passing one.
    about_loss = ""

    def compile(self, optimizer="adam", loss=None, **kwargs):
        """Compile the model as Keras's `compile` does, but without a loss, which is the model's
        own. All arguments are optional."""
        if loss is not None:
            raise ValueError(f"{self.about_loss} Received: loss={loss!r}.")
        super().compile(optimizer=optimizer, **kwargs)
        self.forget_compiled()

    def forget_compiled(self):
        """Compile the verbs anew, since something that they depend on has changed."""
        self.__dict__.pop("_compiled", None)

    def compile_from_config(self, config):
        # Keras compiles a reloaded model only if its `compile` is Keras's own.
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def make_train_function(self, force=False):
        self.train_function = self.recorded("train", force)
        return self.train_function

    def make_test_function(self, force=False):
        self.test_function = self.recorded("test", force)
        return self.test_function

    def recorded(self, kind, force):
        """Return Keras's function of a "train" or "test" step. On TensorFlow without XLA it has a
        fused Adam. On PyTorch its operations are recorded, unless the step is the user's own or
        must run eagerly."""
        made = getattr(self, f"{kind}_function")
        if made is not None and not force:
            return made
        getattr(super(), f"make_{kind}_function")(force)
        made, step = getattr(self, f"{kind}_function"), f"{kind}_step"
        backend = keras.backend.backend()
        if backend == "tensorflow" and kind == "train" and not self.jit_compile:
            return fused_adam(self.optimizer)(made)
        own = step in vars(self) or getattr(type(self), step) is not getattr(keras.Model, step)
        if backend != "torch" or self.run_eagerly or own:
            return made
        from keras_aevae.engine.recorded import recorded_step

        return recorded_step(self, made, training=kind == "train")

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return replicas.logs_of_replica(super().compute_metrics(x, y, y_pred, sample_weight))

    def batch_to_build_from(self, iterator):
        """Return this worker's part of the first batch if TensorFlow has several workers: Keras
        would take the mean of the workers' parts, and fail."""
        if not replicas.of_tensorflow_workers(self.distribute_strategy):
            return None
        return replicas.local_batch(self.distribute_strategy, iterator)

    def call_compiled(self, method, *tensors, **settings):
        """Return `method(*tensors, **settings)` for one batch, compiled and without gradients.

        `method` is a method of the model that takes tensors; `settings` are compiled in.
        """
        known = self.__dict__.setdefault("_compiled", {})
        key = (method.__name__, *sorted(settings.items()))
        if key not in known:
            known[key] = compiled(self, functools.partial(method, **settings))
        return known[key](*tensors)


def weighted_mean(values, sample_weight=None):
    """Return the weighted mean of `values`, shape (batch,); 0 if all weights are 0."""
    if sample_weight is not None:
        sample_weight = ops.reshape(ops.cast(sample_weight, values.dtype), (-1,))
    return replicas.weighted_mean(values, sample_weight)
