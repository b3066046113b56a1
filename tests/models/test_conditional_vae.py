"""The condition: where it goes, what is refused, and that ignoring it gives the VAE."""

import keras
import numpy as np
import pytest

import keras_aevae as ka

SHAPE, N = (8, 8, 1), 60


@pytest.fixture(scope="module")
def digits():
    (x, y), _ = ka.datasets.load("digits")
    return x[:N], y[:N]


def build(classes=10, condition_dim=None, **settings):
    keras.utils.set_random_seed(0)
    length = condition_dim or (classes if isinstance(classes, int) else len(classes))
    networks = ka.networks.mlp(SHAPE, 2, hidden=(16,), condition_dim=length)
    classes = None if condition_dim else classes
    return ka.ConditionalVAE(
        *networks, classes=classes, condition_dim=condition_dim, seed=1000, **settings
    )


def test_a_condition_that_both_networks_ignore_gives_the_vae(digits):
    x, y = digits
    keras.utils.set_random_seed(0)
    vae = ka.VAE(*ka.networks.mlp(SHAPE, 2, hidden=(16,)), seed=1000)
    model = build()
    for network, plain in ((model.encoder, vae.encoder), (model.decoder, vae.decoder)):
        weights = plain.get_weights()
        kernel = np.zeros_like(network.get_weights()[0])
        kernel[: len(weights[0])] = weights[0]  # the condition's rows, behind, stay zero
        network.set_weights([kernel, *weights[1:]])
    model.code.head.set_weights(vae.code.head.get_weights())
    terms, plain = model.evaluate_terms(x, condition=y), vae.evaluate_terms(x)
    assert set(terms) == set(plain) == {"reconstruction", "kl"}
    for name, value in plain.items():
        np.testing.assert_allclose(terms[name], value, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.encode(x, condition=y), vae.encode(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        model.reconstruct(x, condition=y), vae.reconstruct(x), rtol=1e-5, atol=1e-6
    )


def test_the_condition_reaches_both_networks_one_hot(digits):
    x, y = digits
    model = build()
    outputs = model.predict((x, y), verbose=0)
    np.testing.assert_array_equal(outputs["condition"], np.eye(10)[y])
    assert np.abs(model.encode(x, condition=y) - model.encode(x, condition=(y + 1) % 10)).max() > 0
    z = np.zeros((N, 2), "float32")
    assert np.abs(model.decode(z, condition=3) - model.decode(z, condition=4)).max() > 1e-3
    # one condition for all is that condition for each, and a row doesn't depend on the others
    np.testing.assert_array_equal(
        model.decode(z, condition=3), model.decode(z, condition=np.full(N, 3))
    )
    np.testing.assert_allclose(
        model.encode(x, condition=y)[5:6], model.encode(x[5:6], condition=y[5]), atol=1e-6
    )


def test_samples_are_of_the_condition(digits):
    """Data that are nothing but their label, in black and white: sampled for each label."""
    x = np.repeat(np.eye(4, dtype="float32"), 64, axis=0)[..., None] * np.ones((1, 1, 4), "float32")
    x, y = x.reshape(-1, 16), np.repeat(np.arange(4), 64)
    keras.utils.set_random_seed(0)
    networks = ka.networks.mlp((16,), 2, hidden=(32,), condition_dim=4)
    model = ka.ConditionalVAE(*networks, classes=4, seed=1000)
    model.compile(keras.optimizers.Adam(0.02))
    model.fit((x, y), epochs=30, verbose=0)
    for label in range(4):
        samples = model.sample(20, condition=label, seed=0)
        np.testing.assert_array_equal(samples > 0.5, np.tile(x[64 * label] > 0.5, (20, 1)))
    mixed = model.sample(4, condition=[3, 1, 0, 2], seed=0)
    np.testing.assert_array_equal(mixed > 0.5, x[[192, 64, 0, 128]] > 0.5)


def test_every_source_gives_the_same_training(digits):
    import tensorflow as tf

    x, y = digits

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return ((x[20 * i : 20 * (i + 1)], y[20 * i : 20 * (i + 1)]),)

    sources = {
        "arrays": (x, y),
        "tf.data": tf.data.Dataset.from_tensor_slices(((x, y),)).batch(20),
        "PyDataset": Batches(),
        "generator": (((x[20 * i : 20 * (i + 1)], y[20 * i : 20 * (i + 1)]),) for i in range(3)),
    }
    losses = {}
    for name, source in sources.items():
        model = build()
        model.compile(keras.optimizers.SGD(0.01))
        extra = {"batch_size": 20} if name == "arrays" else {}
        history = model.fit(source, shuffle=False, verbose=0, **extra).history
        losses[name] = history["loss"][0]
        if name == "PyDataset":
            arrays = model.encode(x, condition=y)
            np.testing.assert_allclose(model.encode(source), arrays, atol=1e-6)
    for name, loss in losses.items():
        assert loss == pytest.approx(losses["arrays"], rel=1e-5), name


def test_sample_weights_validation_and_denoising(digits):
    x, y = digits
    model = build()
    model.compile()
    weights = (np.arange(N) < N // 2).astype("float32")
    pair = model.evaluate((x, y), sample_weight=weights, verbose=0, return_dict=True)
    half = model.evaluate((x[: N // 2], y[: N // 2]), verbose=0, return_dict=True)
    assert pair["kl"] == pytest.approx(half["kl"], rel=1e-5)
    history = model.fit((x, y), validation_data=((x, y),), verbose=0).history
    assert "val_kl" in history
    noisy = np.clip(x + 0.2, 0, 1)
    model.fit((noisy, y), x, verbose=0)


def test_dynamic_binarization_carries_the_condition(digits):
    x, y = digits
    batches = ka.datasets.DynamicBinarization(x, 32, condition=y, seed=0)
    ((bits, labels),) = batches[0]
    assert bits.shape == (32, *SHAPE) and labels.shape == (32,)
    # each label is that of its image: the bits are zero wherever that image is black
    order = batches._order[:32]
    np.testing.assert_array_equal(labels, y[order])
    assert (bits[x[order] == 0] == 0).all()
    model = build()
    model.compile()
    model.fit(batches, verbose=0)
    with pytest.raises(ValueError, match="`condition` must have one entry for each example"):
        ka.datasets.DynamicBinarization(x, 32, condition=y[:5])


def test_labels_of_any_kind(digits, tmp_path):
    x, y = digits
    names = [f"class {c}" for c in range(10)]
    strings, integers = build(names), build([10 * c - 5 for c in range(10)])
    plain = build()
    expected = plain.encode(x, condition=y)
    given = [names[c] for c in y]
    np.testing.assert_array_equal(strings.encode(x, condition=given), expected)
    np.testing.assert_array_equal(integers.encode(x, condition=10 * y - 5), expected)
    strings.compile()
    strings.fit((x, np.array(given)), verbose=0)
    assert strings.sample(2, condition="class 3").shape == (2, *SHAPE)
    strings.save_to_preset(tmp_path / "p")
    again = ka.ConditionalVAE.from_preset(tmp_path / "p")
    np.testing.assert_allclose(
        again.encode(x, condition=given), strings.encode(x, condition=given), atol=1e-6
    )


def test_vectors(digits):
    x, y = digits
    one_hot, labels = build(condition_dim=10), build()
    np.testing.assert_array_equal(
        one_hot.encode(x, condition=np.eye(10)[y]), labels.encode(x, condition=y)
    )
    assert one_hot.sample(3, condition=np.eye(10)[2]).shape == (3, *SHAPE)


def test_unknown_labels_in_later_batches_do_not_pass_for_known(digits):
    x, y = digits
    pairs = [((x[:20], y[:20]),), ((x[20:40], y[20:40] + 10),)]
    model = build()
    model.compile()
    for call in (model.encode, model.fit):
        with pytest.raises(ValueError, match=r"`classes`.*Received: \[1.*batch 1"):
            call(iter(pairs), verbose=0)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="it reads tf.data itself")
def test_unknown_labels_in_later_batches_of_tf_data_have_no_loss(digits):
    import tensorflow as tf

    x, y = digits
    model = build()
    model.compile()
    unknown = np.where(np.arange(N) < 40, y, y + 10)
    data = tf.data.Dataset.from_tensor_slices((x, unknown)).batch(20)
    assert np.isnan(model.fit(data, verbose=0).history["loss"][0])


def test_pairs_that_a_loader_puts_in_a_list(digits):
    import torch

    x, y = digits

    class Pairs(torch.utils.data.Dataset):
        def __len__(self):
            return N

        def __getitem__(self, i):
            return ((x[i], y[i]),)

    model = build()
    model.compile(keras.optimizers.SGD(0.01))

    loader = torch.utils.data.DataLoader(Pairs(), batch_size=20)  # of batches [[x, y]]
    loss = model.fit(loader, verbose=0).history["loss"][0]
    arrays = build()
    arrays.compile(keras.optimizers.SGD(0.01))
    own = arrays.fit((x, y), batch_size=20, shuffle=False, verbose=0).history["loss"][0]
    assert loss == pytest.approx(own, rel=1e-5)
    np.testing.assert_allclose(model.encode(loader), model.encode(x, condition=y), atol=1e-6)


def test_interpolation_keeps_the_condition(digits):
    x, y = digits
    for model, one in (
        (build(), 3),
        (build([f"class {c}" for c in range(10)]), "class 3"),
        (build(condition_dim=10), np.eye(10)[3]),
    ):
        path = model.interpolate(x[:2], x[2:4], steps=3, condition=one)
        assert path.shape == (2, 3, *SHAPE)
        ends = model.reconstruct(x[2:4], condition=one)
        np.testing.assert_allclose(path[:, -1], ends, atol=1e-5)
    model = build()
    path = model.interpolate(x[:2], x[2:4], steps=3, condition=y[:2])
    np.testing.assert_allclose(path[:, 0], model.reconstruct(x[:2], condition=y[:2]), atol=1e-5)


def test_likelihood_and_several_draws(digits):
    x, y = digits
    single, several = build(), build(num_samples=3)
    nats = single.log_likelihood(x, 50, condition=y)
    np.testing.assert_allclose(several.log_likelihood(x, 50, condition=y), nats, atol=1e-3)
    with_others = single.log_likelihood(x, 50, condition=(y + 1) % 10)
    assert np.abs(with_others - nats).max() > 1e-3
    several.compile()
    several.fit((x, y), verbose=0)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m, x, y: m.fit(x, verbose=0), r"needs a condition for each x.*fit\(\(x, condition"),
        (lambda m, x, y: m.fit(x, y, verbose=0), r"needs a condition.*fit\(\(x, condition"),
        (lambda m, x, y: m.encode(x), "needs a condition for each x"),
        (lambda m, x, y: m.sample(2), "needs a condition for each z"),
        (lambda m, x, y: m.fit((x, y + 5), verbose=0), r"`classes`: \[0, 1.*Received: \[10, 11"),
        (lambda m, x, y: m.sample(2, condition=10), r"`classes`.*Received: \[10\]"),
        (lambda m, x, y: m.sample(2, condition="3"), r"`classes`.*Received: \['3'\]"),
        (lambda m, x, y: m.encode(x, condition=y[:5]), r"must have shape \(60,\)"),
        (lambda m, x, y: m.fit((x[:, :7], y), verbose=0), r"`x` must have shape \(n, 8, 8, 1\)"),
        (lambda m, x, y: m.fit(iter([x]), verbose=0), r"batches \(\(x, condition\),\)"),
        (lambda m, x, y: m.encode(iter([((x, y),)]), condition=y), "holds its own"),
    ],
)
def test_bad_conditions(digits, call, message):
    model = build()
    model.compile()
    with pytest.raises(ValueError, match=f"(?s){message}"):
        call(model, *digits)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, "either `classes`.* or `condition_dim`"),
        ({"classes": 10, "condition_dim": 3}, "either `classes`"),
        ({"classes": 0}, "`classes` must be a positive integer"),
        ({"classes": [1, 1]}, "`classes` must be the number of classes, or a list of different"),
        ({"classes": [1, "a"]}, "`classes` must be"),
        ({"classes": 9}, "the condition's length is .9,."),
        ({"condition_dim": -1}, "`condition_dim`"),
        ({"classes": 10, "prior": "vamp_prior"}, "VampPrior needs an encoder .* a conditional"),
    ],
)
def test_bad_arguments(settings, message):
    networks = ka.networks.mlp(SHAPE, 2, hidden=(16,), condition_dim=10)
    with pytest.raises(ValueError, match=f"(?s){message}"):
        ka.ConditionalVAE(*networks, **settings)


def test_networks_of_the_wrong_number_of_inputs():
    plain = ka.networks.mlp(SHAPE, 2, hidden=(16,))
    conditional = ka.networks.mlp(SHAPE, 2, hidden=(16,), condition_dim=10)
    with pytest.raises(ValueError, match="takes one input.*condition_dim=10"):
        ka.ConditionalVAE(*plain, classes=10)
    with pytest.raises(ValueError, match="takes 2 inputs.*ConditionalVAE"):
        ka.VAE(*conditional)
    with pytest.raises(ValueError, match="`condition` is for conditional models.*VAE takes none"):
        ka.VAE(*plain).sample(2, condition=3)
    with pytest.raises(ValueError, match="`x` must be one array.*conditional models"):
        ka.VAE(*plain).encode((np.zeros((2, *SHAPE)), np.zeros(2)))
    with pytest.raises(ValueError, match="`condition_dim` needs a dense layer"):
        ka.networks.conv(SHAPE, 2, hidden=None, condition_dim=10)
