"""`fit`, as Keras users know it: every source of data, and Keras's own machinery."""

import keras
import numpy as np
import pytest

import keras_aevae as ka

N, SHAPE = 96, (8, 8, 1)


@pytest.fixture(scope="module")
def x():
    (x_train, _), _ = ka.datasets.load("digits")
    return x_train[:N]


def make(**settings):
    keras.utils.set_random_seed(0)
    encoder, decoder = ka.networks.mlp(SHAPE, latent_dim=2, hidden=(16,))
    return ka.VAE(encoder, decoder, seed=1000, **settings)


def tf_data(x):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(x).batch(32)


def data_loader(x):
    import torch

    dataset = torch.utils.data.TensorDataset(torch.from_numpy(x))
    return torch.utils.data.DataLoader(dataset, batch_size=32)


class Batches(keras.utils.PyDataset):
    def __init__(self, x):
        super().__init__()
        self.x = x

    def __len__(self):
        return 3

    def __getitem__(self, i):
        return (self.x[32 * i : 32 * (i + 1)],)


def generator(x):
    for i in range(3):
        yield (x[32 * i : 32 * (i + 1)],)


SOURCES = {
    "array": lambda x: x,
    "tf.data": tf_data,
    "DataLoader": data_loader,
    "PyDataset": Batches,
    "generator": generator,
}


def test_every_source_gives_the_same_training(x):
    losses = {}
    for name, source in SOURCES.items():
        model = make()
        model.compile(keras.optimizers.SGD(0.01))
        losses[name] = model.fit(source(x), shuffle=False, verbose=0).history["loss"][0]
    for name, loss in losses.items():
        assert loss == pytest.approx(losses["array"], rel=1e-5), name


@pytest.mark.parametrize("name", ["tf.data", "DataLoader", "PyDataset", "generator"])
def test_verbs_take_datasets(x, name):
    model = make()
    np.testing.assert_allclose(model.encode(SOURCES[name](x)), model.encode(x), atol=1e-6)
    assert model.log_likelihood(SOURCES[name](x), num_samples=2).shape == (N,)


def test_a_generator_may_use_its_memory_again():
    """The device may still read a batch when the next one is asked for."""
    model = ka.VAE(*ka.networks.mlp((784,), latent_dim=2, hidden=(2048, 2048)), seed=1000)
    x = np.random.default_rng(0).uniform(size=(8, 512, 784)).astype("float32")

    def generator():
        buffer = np.empty(x.shape[1:], "float32")
        for part in x:
            buffer[:] = part
            yield (buffer,)

    codes = model.encode(x.reshape(-1, 784), batch_size=512)
    np.testing.assert_allclose(model.encode(generator()), codes, atol=1e-5)


def test_denoising_target(x):
    noisy = np.clip(x + 0.2, 0, 1)
    model = make(beta=0.0)
    model.compile(keras.optimizers.SGD(0.0))
    plain = model.evaluate(noisy, noisy, verbose=0, return_dict=True)["reconstruction"]
    other = model.evaluate(noisy, x, verbose=0, return_dict=True)["reconstruction"]
    assert plain != pytest.approx(other, rel=1e-3)
    history = model.fit(noisy, x, verbose=0, validation_data=(noisy, x)).history
    assert "val_reconstruction" in history


def test_no_arguments_and_nothing_but_an_optimizer(x):
    model = make()
    model.compile()
    model.fit(x, verbose=0)
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    model = make()
    model.compile("sgd")
    model.fit(x, verbose=0)


def test_sample_weights_are_a_weighted_mean(x):
    model = make()
    model.compile()
    weights = np.where(np.arange(N) < N // 2, 0.0, 3.0).astype("float32")
    state = keras.ops.convert_to_numpy(model.code.sampling.seed_generator.state).copy()
    weighted = model.evaluate(x, sample_weight=weights, batch_size=N, verbose=0, return_dict=True)
    model.code.sampling.seed_generator.state.assign(state)
    terms = model.evaluate_terms(x, batch_size=N)
    for name in ("reconstruction", "kl"):
        assert weighted[name] == pytest.approx(terms[name][N // 2 :].mean(), rel=1e-5)
    assert weighted["loss"] == pytest.approx(weighted["reconstruction"] + weighted["kl"], rel=1e-5)
    model.compile(keras.optimizers.SGD(0.0))
    history = model.fit(x, sample_weight=0 * weights, verbose=0, validation_data=(x, None, weights))
    assert history.history["loss"] == [0.0] and history.history["val_kl"][0] > 0


def test_scale_does_not_depend_on_the_batch_size(x):
    model = make(beta=0.5)
    model.compile()
    twice = np.concatenate([x, x])
    values = [
        model.evaluate(data, batch_size=size, verbose=0, return_dict=True)["kl"]
        for data, size in ((x, 8), (x, N), (twice, 2 * N))
    ]
    np.testing.assert_allclose(values, values[0], rtol=1e-5)


def test_weight_decay_joins_the_loss(x):
    _, decoder = ka.networks.mlp(SHAPE, latent_dim=2, hidden=(16,))
    dense = keras.layers.Dense(16, kernel_regularizer=keras.regularizers.L2(0.1))
    encoder = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), dense])
    model = ka.Autoencoder(encoder, decoder)
    model.compile()
    values = model.evaluate(x, verbose=0, return_dict=True)
    penalty = 0.1 * np.square(keras.ops.convert_to_numpy(dense.kernel)).sum()
    assert values["loss"] - values["reconstruction"] == pytest.approx(penalty, rel=1e-3)


def test_metrics_compare_with_the_reconstruction(x):
    encoder, decoder = ka.networks.mlp(SHAPE, latent_dim=2, hidden=(16,))
    model = ka.Autoencoder(encoder, decoder)
    model.compile(metrics=["mse"])
    value = model.evaluate(x, verbose=0, return_dict=True)["mse"]
    assert value == pytest.approx(np.square(model.reconstruct(x) - x).mean(), rel=1e-4)


def test_beta_schedule_reads_the_models_own_steps(x):
    model = make(beta=ka.objectives.LinearWarmUp(6))
    model.compile()
    model.fit(x, batch_size=32, epochs=1, verbose=0)  # 3 steps
    assert int(keras.ops.convert_to_numpy(model.step.value)) == 3
    values = model.evaluate(x, verbose=0, return_dict=True)
    expected = values["reconstruction"] + 0.5 * values["kl"]
    assert values["loss"] == pytest.approx(expected, rel=1e-5)
    assert int(keras.ops.convert_to_numpy(model.step.value)) == 3  # evaluation is no step


def test_any_keras_schedule_is_a_beta(x, tmp_path):
    schedule = keras.optimizers.schedules.PolynomialDecay(0.25, 10, end_learning_rate=1.0)
    model = make(beta=schedule)
    model.compile()
    values = model.evaluate(x, verbose=0, return_dict=True)
    expected = values["reconstruction"] + 0.25 * values["kl"]
    assert values["loss"] == pytest.approx(expected, rel=1e-5)
    model.save_to_preset(tmp_path / "p")
    assert ka.VAE.from_preset(tmp_path / "p").beta.get_config() == schedule.get_config()


def test_callbacks_and_resume(x, tmp_path):
    model = make()
    model.compile()
    callbacks = [
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="val_kl", mode="max"),
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=5, restore_best_weights=True),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.ReduceLROnPlateau(),
    ]
    model.fit(x, epochs=2, verbose=0, validation_split=0.25, callbacks=callbacks)
    header = (tmp_path / "log.csv").read_text().splitlines()[0]
    assert {"kl", "reconstruction", "val_kl"} <= set(header.split(","))
    assert keras.saving.load_model(tmp_path / "best.keras").encode(x).shape == (N, 2)


def test_resume_continues_the_same_run(x, tmp_path):
    def run(epochs, directory):
        model = make()
        model.compile(keras.optimizers.SGD(0.001))
        backup = keras.callbacks.BackupAndRestore(directory, delete_checkpoint=False)
        model.fit(x, epochs=epochs, verbose=0, shuffle=False, callbacks=[backup])
        return model

    run(2, tmp_path / "a")
    resumed = run(4, tmp_path / "a")  # starts at epoch 2
    assert int(keras.ops.convert_to_numpy(resumed.step.value)) == 4 * 3
    assert int(resumed.optimizer.iterations) == 4 * 3


@pytest.mark.parametrize(
    "settings",
    [{"gradient_accumulation_steps": 2}, {"use_ema": True, "ema_momentum": 0.9}, {"clipnorm": 1.0}],
    ids=lambda s: next(iter(s)),
)
def test_optimizer_settings(x, settings):
    model = make()
    model.compile(keras.optimizers.Adam(0.01, **settings))
    losses = model.fit(x, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_jit_compile(x):
    model = make()
    model.compile(jit_compile=True)
    losses = model.fit(x, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_own_encoder_and_decoder(x, tmp_path):
    @keras.saving.register_keras_serializable(package="tests")
    class Encoder(keras.Model):  # subclassed, with an output that is no vector
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.convolution = keras.layers.Conv2D(4, 3, strides=2, data_format="channels_last")

        def call(self, x):
            return self.convolution(x)

    decoder = keras.Sequential([keras.layers.Dense(64), keras.layers.Reshape(SHAPE)])
    model = ka.VAE(Encoder(), decoder, latent_dim=5)
    model.compile()
    losses = model.fit(x, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    model.save_to_preset(tmp_path / "own")
    np.testing.assert_allclose(
        ka.VAE.from_preset(tmp_path / "own").encode(x), model.encode(x), atol=1e-6
    )
