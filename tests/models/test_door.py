"""The door: every kind of data that people bring is taken, or refused with its remedy."""

import itertools

import keras
import numpy as np
import pytest

import keras_aevae as ka
from keras_aevae.engine.value_checks import check_values

N, SHAPE, SIZE = 36, (4, 4, 1), 12
PARTS = [slice(i, i + SIZE) for i in range(0, N, SIZE)]
RNG = np.random.default_rng(0)
X = RNG.random((N, *SHAPE), "float32")
TABLE = np.where(RNG.random((N, 6)) < 0.6, 0, RNG.random((N, 6))).astype("float32")
LABELS = np.arange(N) % 4


# Models whose weights stand still, and that draw no noise: the same data have the same loss.


def made(shape, cls=ka.Autoencoder, condition_dim=0, **settings):
    keras.utils.set_random_seed(0)
    networks = ka.networks.mlp(shape, 2, hidden=(8,), condition_dim=condition_dim)
    model = cls(*networks, **settings)
    model.compile(keras.optimizers.SGD(0.0))
    vars(model)["known"] = {}  # of the plain data
    return model


@pytest.fixture(scope="module")
def images():
    return made(SHAPE)


@pytest.fixture(scope="module")
def told():
    return made(SHAPE, condition_dim=4, classes=4)


@pytest.fixture(scope="module")
def table():
    return made((6,), likelihood="mse")


class Batches(keras.utils.PyDataset):
    def __init__(self, function, number=3):
        super().__init__()
        self.function, self.number = function, number

    @property
    def num_batches(self):
        return self.number

    def __getitem__(self, i):
        return self.function(PARTS[i % len(PARTS)])


def generator(function):
    return map(function, PARTS)


def tf_data(*parts):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(*parts).batch(SIZE)


def loader(function, **settings):
    """A DataLoader of examples, `function(i)`, joined by PyTorch's own collation."""
    import torch

    class Examples(torch.utils.data.Dataset):
        def __len__(self):
            return N

        def __getitem__(self, i):
            return function(i)

    return torch.utils.data.DataLoader(Examples(), batch_size=SIZE, **settings)


def tensor(x, **settings):
    import torch

    return torch.tensor(x, **settings)


def frame(dtypes=None):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(TABLE, columns=list("abcdef")).astype(dtypes or {})


def sparse(kind, x=TABLE):
    import scipy.sparse

    return getattr(scipy.sparse, kind)(x)


def tf_sparse():
    import tensorflow as tf

    return tf.sparse.from_dense(TABLE)


class Like:
    """As arrays of other packages are."""

    def __array__(self, dtype=None, copy=None):
        return X


IMAGES = {
    "generator of bare arrays": lambda: generator(lambda part: X[part]),
    "generator of bare tensors": lambda: generator(lambda part: tensor(X[part])),
    "generator of lists of images": lambda: generator(lambda part: list(X[part])),
    "loader of bare arrays": lambda: loader(lambda i: X[i]),
    "loader of arrays of NumPy": lambda: loader(lambda i: X[i], collate_fn=np.stack),
    "PyDataset of bare tensors": lambda: Batches(lambda part: tensor(X[part])),
    "tf.data of bare arrays": lambda: tf_data(X),
    "big-endian": lambda: X.astype(">f4"),
    "generator, big-endian, float64": lambda: generator(lambda part: X[part].astype(">f8")),
    "list of arrays": lambda: list(X),
    "requires grad": lambda: tensor(X, requires_grad=True),
    "with __array__": lambda: Like(),
    "long double": lambda: X.astype("longdouble"),
    "masked without a mask": lambda: np.ma.array(X),
}
TOLD = {
    "loader (x, label)": lambda: loader(lambda i: (X[i], LABELS[i])),
    "loader ((x, label),)": lambda: loader(lambda i: ((X[i], LABELS[i]),)),
    "tf.data (x, label)": lambda: tf_data((X, LABELS)),
    "tf.data (x, [label])": lambda: tf_data((X, LABELS[:, None])),
    "PyDataset (x, label)": lambda: Batches(lambda part: (X[part], LABELS[part])),
    "generator [x, label]": lambda: generator(lambda part: [X[part], LABELS[part]]),
    "generator (x, label, weight)": lambda: generator(
        lambda part: (X[part], LABELS[part], np.ones(SIZE))
    ),
    "tf.data (x, label, weight)": lambda: tf_data((X, LABELS, np.ones(N, "float32"))),
    "list [x, labels]": lambda: [X, LABELS],
    "(x, list of labels)": lambda: (X, LABELS.tolist()),
}
TABLES = {
    "DataFrame": frame,
    "DataFrame of several types": lambda: frame({"a": "Float64", "b": "float64"}),
    "generator of DataFrames": lambda: generator(lambda part: frame({"a": "Float64"}).iloc[part]),
    "csr": lambda: sparse("csr_matrix"),
    "coo array": lambda: sparse("coo_array"),
    "generator of csr": lambda: generator(lambda part: sparse("csr_array", TABLE[part])),
    "sparse tensor of PyTorch": lambda: tensor(TABLE).to_sparse(),
    "sparse tensor of TensorFlow": tf_sparse,
    "tf.data of sparse tensors": lambda: tf_data(tf_sparse()),
}


def check_taken(model, plain, made_kind):
    """`fit`, `encode` and, of some kinds, `predict` take this kind as the plain data."""
    if not model.known:
        model.known["loss"] = model.evaluate(plain, batch_size=SIZE, verbose=0, return_dict=True)
        model.known["codes"] = model.encode(plain)
    history = model.fit(made_kind(), batch_size=SIZE, shuffle=False, verbose=0).history
    assert history["loss"][0] == pytest.approx(model.known["loss"]["loss"], rel=1e-4)
    np.testing.assert_allclose(model.encode(made_kind()), model.known["codes"], atol=1e-5)


@pytest.mark.parametrize("kind", IMAGES)
def test_images(images, kind):
    check_taken(images, X, IMAGES[kind])


@pytest.mark.parametrize("kind", TOLD)
def test_a_label_beside_x_is_the_condition(told, kind):
    check_taken(told, (X, LABELS), TOLD[kind])


@pytest.mark.parametrize("kind", TABLES)
def test_tables(table, kind):
    check_taken(table, TABLE, TABLES[kind])


def test_predict(told, table):
    for model, plain, kinds in ((told, (X, LABELS), TOLD), (table, TABLE, TABLES)):
        z = model.encode(plain)
        for made_kind in [*kinds.values()][:4]:
            found = model.predict(made_kind(), batch_size=SIZE, verbose=0)["z"]
            np.testing.assert_allclose(found, z, atol=1e-5)


def test_booleans_and_nullable_columns(table):
    x = TABLE.copy()
    x[:, 1], x[:, 2] = x[:, 1] > 0.5, np.rint(3 * x[:, 2])
    pandas = pytest.importorskip("pandas")
    columns = pandas.DataFrame(x, columns=list("abcdef"))
    for types in ({"b": bool}, {"a": "Float64", "b": "boolean", "c": "Int64"}):
        np.testing.assert_array_equal(table.encode(columns.astype(types)), table.encode(x))


def test_labels_that_are_strings_in_datasets():
    names = ["a", "b", "c", "d"]
    model = made(SHAPE, condition_dim=4, classes=names)
    given = np.array(names)[LABELS]
    wanted = model.encode(X, condition=given)
    losses = []
    for data in ((X, given), tf_data((X, given)), generator(lambda part: (X[part], given[part]))):
        settings = {"batch_size": SIZE} if isinstance(data, tuple) else {}
        losses.append(model.fit(data, shuffle=False, verbose=0, **settings).history["loss"][0])
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)
    np.testing.assert_array_equal(model.encode(tf_data((X, given)), batch_size=SIZE), wanted)


def test_sparse_matrices_in_all_of_fit(table):
    """With a target, weights, validation data and a split; of one batch at a time."""
    csr = sparse("csr_matrix")
    weights = np.arange(N, dtype="float32")
    for settings in (
        {"validation_split": 0.25},
        {"sample_weight": weights, "validation_data": (TABLE, TABLE, weights)},
    ):
        as_csr = {
            name: tuple(csr if part is TABLE else part for part in value)
            if name == "validation_data"
            else value
            for name, value in settings.items()
        }
        dense = table.fit(TABLE, TABLE, batch_size=SIZE, shuffle=False, verbose=0, **settings)
        found = table.fit(csr, csr, batch_size=SIZE, shuffle=False, verbose=0, **as_csr)
        for name in ("loss", "val_loss"):
            assert found.history[name] == pytest.approx(dense.history[name], rel=1e-4)
    terms = table.evaluate_terms(csr)["reconstruction"]
    np.testing.assert_allclose(terms, table.evaluate_terms(TABLE)["reconstruction"], rtol=1e-4)


def test_sparse_matrices_become_dense_a_batch_at_a_time(table, monkeypatch):
    import scipy.sparse

    rows = []
    to_array = scipy.sparse.csr_array.toarray

    def watched(self, *arguments, **settings):
        rows.append(self.shape[0])
        return to_array(self, *arguments, **settings)

    monkeypatch.setattr(scipy.sparse.csr_array, "toarray", watched)
    table.fit(sparse("csr_array"), batch_size=SIZE, verbose=0)
    table.encode(sparse("csr_array"), batch_size=SIZE)
    assert rows and max(rows) == SIZE


ENDLESS = {
    "generator": lambda: map(lambda i: X[PARTS[i % 3]], itertools.count()),
    "PyDataset": lambda: Batches(lambda part: X[part], number=None),
    "tf.data": lambda: tf_data(X).repeat(),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_steps_end_data_without_an_end(images, kind):
    twice = np.concatenate([X, X[:SIZE]])
    np.testing.assert_allclose(
        images.encode(ENDLESS[kind](), steps=4), images.encode(twice), atol=1e-6
    )
    for verb in (images.reconstruct, images.evaluate_terms):
        result = verb(ENDLESS[kind](), steps=2)
        result = result["reconstruction"] if isinstance(result, dict) else result
        assert len(result) == 2 * SIZE
    images.fit(ENDLESS[kind](), steps_per_epoch=2, verbose=0)
    if kind != "generator":  # which doesn't say that it has no end
        for call, name in (
            (images.encode, "steps"),
            (images.evaluate, "steps"),
            (images.predict, "steps"),
            (images.fit, "steps_per_epoch"),
        ):
            with pytest.raises(ValueError, match=f"`{name}` is needed"):
                call(ENDLESS[kind]())


def test_steps_of_arrays_and_of_other_verbs(images, table):
    np.testing.assert_array_equal(
        images.encode(X, batch_size=8, steps=2), images.encode(X[:16], batch_size=8)
    )
    z = images.encode(X)
    decoded = images.decode(itertools.cycle([z]), steps=1)
    np.testing.assert_allclose(decoded, images.decode(z), atol=1e-6)
    with pytest.raises(ValueError, match="`steps` must be a positive integer"):
        images.encode(X, steps=0)
    table.fit_prior(itertools.cycle([TABLE]), "gaussian", steps=2)
    table.set_prior(None)


# What is refused


def spoilt(row, value, x=X):
    x = x.copy()
    x[row] = value
    return x


def text_frame():
    return frame().assign(b="red")


REFUSED = {
    "dict": (lambda: {"image": X}, r"an array or a dataset.*a dict .*\['image'\].*x\['image'\]"),
    "generator of dicts": (
        lambda: generator(lambda part: {"image": X[part]}),
        r"yield batches.*a dict .*batch\['image'\]",
    ),
    "str": (lambda: "images/", "array or a dataset.*the str 'images/'.*np.load"),
    "None": (lambda: None, "array or a dataset.*x=None"),
    "number": (lambda: 3, "array or a dataset.*of type int"),
    "function": (lambda: generator, r"function 'generator'. Call it: generator\(\)"),
    "Dataset of PyTorch": (
        lambda: loader(lambda i: X[i]).dataset,
        "DataLoader.dataset, batch_size",
    ),
    "text": (lambda: np.array(["a", "b"]), "hold numbers.*turn text into numbers"),
    "objects": (lambda: X.astype(object), r"hold numbers.*x.astype\('float32'\)"),
    "complex": (lambda: X + 1j, r"hold numbers.*np.stack\(\[x.real, x.imag\], axis=-1\)"),
    "examples": (lambda: zip(X, LABELS), r"yield batches.*batch\(128\)"),
    "two shapes": (lambda: [X[0], X[1, :3]], r"examples of one shape.*\(3, 4, 1\), \(4, 4, 1\)"),
    "masked": (lambda: np.ma.masked_greater(X, 0.9), r"values are masked.*x.filled\(value\)"),
    "channels first": (lambda: np.moveaxis(X, -1, 1), r"np.moveaxis\(x, 1, -1\)"),
    "flat": (lambda: X.reshape(N, 16), r"x.reshape\(-1, 4, 4, 1\)"),
    "8 bits": (lambda: (X * 255).astype("uint8"), r"Divide by 255: x / 255\."),
    "16 bits": (lambda: (X * 65535).astype("uint16"), r"np.iinfo\('uint16'\).max.*65535"),
    "signed 16 bits": (lambda: (X * 32767).astype("int16"), r"np.iinfo\('int16'\).max.*32767"),
    "32 bits": (lambda: (X * 2e9).astype("int32"), r"np.iinfo\('int32'\).max"),
    "8 bits, as int64": (lambda: (X * 255).astype("int64"), r"Divide by 255.*x / 255"),
    "8 bits, as floats": (lambda: np.rint(X * 255), r"Divide by 255.*x / 255"),
    "8 bits, resized": (lambda: X * 255, r"Divide by 255.*x / 255"),
    "NaN": (lambda: spoilt([3, 17], np.nan), "finite.*2 of 36 examples, rows 3, 17.*impute"),
    "infinity": (lambda: spoilt(4, -np.inf), "finite.*1 of 36 examples, row 4"),
    "NaN in a later batch": (
        lambda: generator(lambda part: spoilt(29, np.nan)[part]),
        "finite.*1 of 12 examples, row 5.*batch 2",
    ),
    "NaN in a loader": (
        lambda: loader(lambda i: spoilt(29, np.nan)[i]),
        "finite.*1 of 12 examples, row 5.*batch 2",
    ),
    "8 bits in a later batch": (
        lambda: Batches(lambda part: spoilt(29, 255.0)[part]),
        "Divide by 255.*batch 2",
    ),
    "another shape in a later batch": (
        lambda: generator(lambda part: X[part] if part.start < 24 else X[part, :3]),
        r"shape \(n, 4, 4, 1\).*\(12, 3, 4, 1\).*batch 2",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(images, kind):
    data, message = REFUSED[kind]
    for call in (images.fit, images.evaluate, images.encode, images.reconstruct, images.predict):
        with pytest.raises(ValueError, match=f"(?s)^`x` must .*{message}") as refused:
            call(data(), verbose=0)
        assert "Received: " in str(refused.value) and len(str(refused.value)) < 420


def test_refused_tables(table):
    pandas = pytest.importorskip("pandas")
    gaps = frame({"a": "Float64"})
    gaps.loc[[2, 5], "a"] = pandas.NA
    with pytest.raises(ValueError, match="2 of 36 examples, rows 2, 5.*TabularVAE"):
        table.fit(gaps, verbose=0)
    dated = frame().assign(b=pandas.Timestamp("2020-01-01"))
    for data, dtype in ((text_frame(), "str|object"), (dated, "datetime64")):
        with pytest.raises(ValueError, match=f"column 'b' is of dtype ({dtype}).*TabularVAE"):
            table.encode(data)
    with pytest.raises(ValueError, match="2 of 36 examples, rows 3, 4"):
        table.fit(sparse("csr_matrix", spoilt([3, 4], np.nan, TABLE)), verbose=0)


@pytest.mark.parametrize("likelihood", ["gaussian", "mse"])
@pytest.mark.parametrize("data", [(TABLE * 255).astype("uint8"), np.rint(TABLE * 255)])
def test_another_scale_without_a_support(likelihood, data):
    model = made((6,), likelihood=likelihood)
    later = [TABLE[:SIZE], np.asarray(data[:SIZE], "float32"), np.asarray(data[:SIZE], "float32")]
    for call in (model.encode, model.evaluate_terms):
        for given in (data, iter(later)):
            with pytest.warns(UserWarning, match=r"scale of about 1.*0 to 2\d\d.*x.std") as seen:
                call(given)
            assert len(seen) == 1
    with pytest.warns(UserWarning, match="scale of about 1.*std"):
        model.encode(1e3 * (TABLE - 0.5))


@pytest.mark.parametrize(
    "data, remedy",
    [
        (np.arange(17.0 * 64).reshape(17, 64) % 17, "such as 16: x / 16"),  # of scikit-learn
        (np.arange(18, 90)[:, None], "such as 89: x / 89"),  # ages
        (np.full((2, 8, 8, 1), 200.5), "255, the largest value of images of 8 bits: x / 255"),
        (np.full((2, 8, 8, 1), 300), "65535, the largest value of images of 16 bits: x / 65535"),
        (np.full((2, 8, 8, 1), 9, "uint16"), "its type, which is 65535: x / 65535"),
        (np.full((2, 8, 8, 1), 9, "uint8"), "Divide by 255: x / 255"),
        (np.full((2, 4), 70_000), r"iinfo\('int64'\).max"),
        (np.full((2, 4), 1.5), "Rescale"),
    ],
)
def test_the_advice_fits_what_data_may_be(data, remedy):
    with pytest.raises(ValueError, match=remedy):
        check_values("x", data, data.shape[1:], support=(0, 1))


def test_noisy_data_are_valid_where_another_target_is(images, recwarn):
    noisy = X + RNG.normal(0, 0.5, X.shape).astype("float32")
    images.fit(noisy, X, verbose=0)
    assert [w for w in recwarn if "support" in str(w.message)] == []
    with pytest.warns(UserWarning, match=r"within \[0, 1\].*Noisy data"):
        images.encode(noisy)
    with pytest.raises(ValueError, match="Divide by 255"):
        images.fit((255 * noisy.clip(0, 1)).round(), X, verbose=0)


class Positive(ka.distributions.Gaussian):
    support = (0.0, np.inf)


class Signed(ka.distributions.Gaussian):
    support = (-1.0, 1.0)


def test_the_advice_fits_the_support():
    positive = made((6,), likelihood=Positive(1.0))
    positive.evaluate_terms(1e4 * TABLE)
    with pytest.raises(ValueError, match=r"each value is 0 or more.*1 of 36 examples, row 4") as e:
        positive.evaluate_terms(spoilt(4, -2.0, TABLE))
    assert "gaussian" not in str(e.value) and "255" not in str(e.value)
    with pytest.raises(ValueError, match=r"Divide by 255: -1 \+ 2 \* \(x / 255\)"):
        made((6,), likelihood=Signed(1.0)).evaluate_terms((TABLE * 255).astype("uint8"))


def test_weights(images, table):
    with pytest.raises(ValueError, match=r"`class_weight`.*sample_weight=np.array"):
        images.fit(X, class_weight={0: 1.0}, verbose=0)
    with pytest.raises(ValueError, match=r"shape \(36,\).*\(36, 4\).*sample_weight.mean\(axis=1\)"):
        images.fit(X, sample_weight=np.ones((N, 4)), verbose=0)
    with pytest.raises(ValueError, match="`sample_weight` must hold one value .*36 examples in x"):
        images.evaluate(X, sample_weight=np.ones(5), verbose=0)
    weights = np.arange(N, dtype="float32")
    values = [
        images.evaluate(X, sample_weight=given, batch_size=N, verbose=0, return_dict=True)["loss"]
        for given in (weights, weights[:, None], weights.tolist())
    ]
    assert values == pytest.approx([values[0]] * 3)
    for settings in ({"y": X}, {"sample_weight": weights}):
        with pytest.raises(ValueError, match="goes with an array; a dataset holds its own"):
            images.fit(iter([X]), verbose=0, **settings)


def test_a_step_of_scikit_learn(table):
    pipeline = pytest.importorskip("sklearn.pipeline")
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler()
    with pytest.raises(TypeError, match="scikit-learn transformer is to come.*fit_transform"):
        pipeline.make_pipeline(scaler, table).fit(TABLE)
    table.fit(scaler.fit_transform(TABLE), verbose=0)


def test_swapped_networks():
    encoder, decoder = ka.networks.mlp(SHAPE, 2, hidden=(8,), condition_dim=4)
    with pytest.raises(ValueError, match="are swapped.*Give the encoder first"):
        ka.VAE(decoder, encoder, classes=4)
    z, c = keras.Input((2,)), keras.Input((4,))
    h = keras.layers.Dense(16)(keras.layers.Concatenate()([z, c]))
    swapped = keras.Model([c, z], keras.layers.Reshape(SHAPE)(h))
    with pytest.raises(ValueError, match=r"order \[z, condition\].*\(4,\), \(2,\)"):
        ka.VAE(encoder, swapped, classes=4)


class Stored:
    """Batches of one iterator, which can be asked for again and again."""

    def __init__(self):
        self.batches = iter([(X[part],) for part in PARTS])

    def __iter__(self):
        return self.batches


class Delegated(Stored):
    def __iter__(self):
        yield from self.batches


@pytest.mark.parametrize("source", [Stored, Delegated])
def test_no_batch_of_a_source_that_is_read_once_is_lost(images, source):
    steps = int(images.optimizer.iterations)
    images.fit(source(), verbose=0)
    assert int(images.optimizer.iterations) == steps + len(PARTS)


def test_a_split_of_sparse_data_has_the_steps_that_are_asked_for():
    from scipy import sparse

    model = made((6,))
    model.fit(
        sparse.csr_matrix(TABLE), validation_split=0.5, steps_per_epoch=4, epochs=2, verbose=0
    )
    assert int(model.optimizer.iterations) == 8


class InProcesses(keras.utils.PyDataset):
    def __len__(self):
        return len(PARTS)

    def __getitem__(self, i):
        return (X[PARTS[i]],)


def test_a_dataset_for_other_processes_is_given_to_them_as_it_is(images):
    """They get a copy, which a model can't be in."""
    dataset = InProcesses(use_multiprocessing=True, workers=2)
    assert images.check_fit(dataset)[0] is dataset
    assert images.check_fit(InProcesses())[0] is not dataset


def test_validation_data_without_an_end_need_a_number_of_steps(images):
    class Endless(InProcesses):
        __len__ = None

        @property
        def num_batches(self):
            return None

    with pytest.raises(ValueError, match="`validation_steps` is needed.*infinite Endless"):
        images.fit(X, validation_data=Endless(), verbose=0)


def test_errors_say_that_validation_data_are_meant(images):
    with pytest.raises(ValueError, match=r"`validation_data\[0\]` must have shape"):
        images.fit(X, validation_data=(X[:, 1:], X), verbose=0)
    with pytest.raises(ValueError, match="batch 1 of `validation_data`, counted from 0"):
        images.fit(X, validation_data=iter([X[:4], X[:4] * np.nan]), verbose=0)


def test_masked_values_of_a_table_are_missing():
    columns = ka.distributions.Columns([ka.distributions.Column(n, "gaussian") for n in "ab"])
    model = ka.TabularVAE.from_columns(columns, latent_dim=1, hidden=(4,), seed=0)
    x = RNG.normal(size=(5, 2)).astype("float32")
    masked = np.ma.masked_greater(x, 0.5)
    assert masked.mask.any()
    gaps = masked.filled(np.nan)
    np.testing.assert_array_equal(model.encode(masked), model.encode(gaps))
    filled = [model.impute(each, num_samples=5, seed=0) for each in (masked, gaps)]
    np.testing.assert_array_equal(filled[0], filled[1])
    assert (filled[0] != x)[masked.mask].all()


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_sample_weights_are_finite_and_not_negative(images, bad):
    weights = np.ones(N)
    weights[[2, 7]] = bad
    with pytest.raises(ValueError, match="`sample_weight` must be finite.*2 of 36.*rows 2, 7"):
        images.fit(X, sample_weight=weights, verbose=0)


def test_a_target_in_the_place_of_a_condition_and_batches_in_a_list(images):
    with pytest.raises(ValueError, match=r"A target to reconstruct is.*fit\(x, target\)"):
        images.fit((X, X), verbose=0)
    with pytest.raises(ValueError, match=r"a list of 2 batches. Join them: np.concatenate\(x\)"):
        images.fit([X[:4], X[4:]], verbose=0)
    with pytest.raises(ValueError, match="`x` must hold examples of one shape"):
        images.encode([[[1.0, 2.0], [3.0]], [[1.0], [2.0]]])


def test_small_habits_are_told_what_to_do(images, tmp_path):
    with pytest.raises(ValueError, match="`filepath` must end with '.keras'.*save_weights"):
        images.save(tmp_path / "m.h5")
    with pytest.raises(ValueError, match="`loss_weights`.*such as `beta`"):
        images.compile(loss_weights=[1.0, 0.1])
    with pytest.raises(ValueError, match="`batch_size` must be a positive integer.*batch_size=0"):
        images.fit(X, batch_size=0, verbose=0)
    with pytest.raises(ValueError, match="`validation_split` takes a part of arrays"):
        images.fit(InProcesses(), validation_split=0.2, verbose=0)
    stop = keras.callbacks.EarlyStopping("val_reconstrution")
    with pytest.raises(ValueError, match="`monitor` of the EarlyStopping.*mean: reconstruction"):
        images.fit(X, callbacks=[stop], verbose=0)
    with pytest.raises(ValueError, match=r"z.shape=\(3, 5\). The model's codes have 2 dimensions"):
        images.decode(np.zeros((3, 5)))
    with pytest.raises(ValueError, match="`num_samples` must be.*Received: a ndarray"):
        images.sample(X)
