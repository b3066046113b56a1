"""The data on which models are compared, and the results that all the models share."""

import dataclasses
import functools
import math

import numpy as np

from keras_aevae import datasets, recipes
from keras_aevae._checks import check_name
from keras_aevae.engine.inference import as_numpy, is_array
from keras_aevae.latent import measures
from keras_aevae.latent.classifier import Classifier
from keras_aevae.latent.labels import CLASS_NAMES, classes
from keras_aevae.latent.measures._arrays import check_labels
from keras_aevae.latent.measures._values import spaced
from keras_aevae.latent.measures.training_preference import preferences

# The number of training examples on which measures are taken; and of test examples for slow
# measures: log p(x), and nearest neighbours among images.
NUM_TRAIN, NUM_FEW = 10_000, 2000
NUM_COMPONENTS = 64


@dataclasses.dataclass(frozen=True)
class Data:
    """Training and test data, as the models take them.

    `train_images` and `test_images` are the same data before binarisation: samples, which are
    means, are compared with them. `y_train` and `y_test` are labels (n,), factors (n, k), or None.
    """

    x_train: np.ndarray
    y_train: np.ndarray | None
    x_test: np.ndarray
    y_test: np.ndarray | None
    train_images: np.ndarray
    test_images: np.ndarray
    name: str | None = None
    binarized: bool = False

    @classmethod
    def load(cls, name, *, binarized=False, num_train=None):
        settings = {"num_train": num_train}
        (images, y), (test_images, y_test) = datasets.load(name, **settings)
        x, x_test = images, test_images
        if binarized:
            (x, _), (x_test, _) = datasets.load(name, binarized=True, **settings)
        return cls(x, y, x_test, y_test, images, test_images, name, binarized)

    @classmethod
    def of(cls, data, **settings):
        """Make the data from a dataset's name, with the settings of `load`, or from your own
        `(x_train, y_train), (x_test, y_test)`."""
        if isinstance(data, str):
            return cls.load(check_name("dataset", data, recipes.DEFAULTS), **settings)
        try:
            (x, y), (x_test, y_test) = data
        except (TypeError, ValueError) as error:
            raise ValueError(
                "`dataset` must be a dataset's name, or ((x_train, y_train), (x_test, y_test)), "
                f"where y may be None. Received: a {type(data).__name__}."
            ) from error
        x, x_test = check_examples("x_train", x), check_examples("x_test", x_test)
        y, y_test = labels_of("y_train", y, x), labels_of("y_test", y_test, x_test)
        if min(len(x), len(x_test)) < 2 or x.shape[1:] != x_test.shape[1:]:
            raise ValueError(
                "`dataset` must hold 2 or more training and test examples of one shape. Received: "
                f"x_train of shape {x.shape} and x_test of shape {x_test.shape}."
            )
        if y is None or y_test is None:
            y = y_test = None
        else:
            if y.shape[1:] != y_test.shape[1:] or (y.dtype.kind == "U") != (
                y_test.dtype.kind == "U"
            ):
                raise ValueError(
                    "`dataset` must hold labels of one kind. Received: y_train of shape "
                    f"{y.shape}, {y.dtype}, and y_test of shape {y_test.shape}, {y_test.dtype}."
                )
            if y.ndim == 2 and y.shape[1] == 1:  # a column, as some datasets give it
                y, y_test = y[:, 0], y_test.reshape(-1)
            if y.ndim == 2 and ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all():
                y, y_test = y.argmax(axis=1), y_test.argmax(axis=1)  # one-hot
        return cls(x, y, x_test, y_test, x, x_test)

    @property
    def shape(self):
        return self.x_test.shape[1:]

    @property
    def class_names(self):
        return CLASS_NAMES.get(self.name)

    @property
    def has_classifier(self):
        """True if the features are those of a classifier of these data."""
        return f"classifier_{self.name}" in Classifier.presets

    def labels(self, part="test"):
        """Return one class per example, or raise an error that says what is missing."""
        y = self.y_test if part == "test" else self.y_train
        if y is None:
            raise ValueError("the data have no labels")
        y = classes(y)
        if y.dtype.kind == "f" and (y != np.round(y)).any():
            raise ValueError("the labels are no classes: they aren't whole numbers")
        if len(np.unique(y)) < 2:
            raise ValueError("the labels are of one class only")
        return y

    def factors(self, part="test"):
        y = self.y_test if part == "test" else self.y_train
        if y is None or y.ndim < 2:
            raise ValueError("the factors that made the data are not known")
        return y

    def renderer(self):
        """Return the object that makes images from factors."""
        if self.name != "dsprites":
            raise ValueError("there is nothing to render images from chosen factors")
        return datasets.DSprites()

    @functools.cached_property
    def some_train(self):
        """Indices of the training examples on which measures are taken, evenly spaced."""
        return spaced(len(self.x_train), NUM_TRAIN)

    @functools.cached_property
    def few(self):
        """Indices of the test examples for slow measures, evenly spaced."""
        return spaced(len(self.x_test), NUM_FEW)

    @functools.cached_property
    def others(self):
        """Indices of the test examples that are compared with the training examples, of which there
        are at least as many."""
        return spaced(len(self.x_test), len(self.x_train))

    @functools.cached_property
    def compared(self):
        """Indices of the `few` among the `others`, for comparing images with training and test
        ones."""
        return self.others[spaced(len(self.others), NUM_FEW)]

    @functools.cached_property
    def features(self):
        """A function from images to features, and its name."""
        name = f"classifier_{self.name}"
        if self.has_classifier:
            function = Classifier.from_preset(name).features
            words = f"the classifier preset {name!r}"
        else:
            from sklearn.decomposition import PCA

            flat = flatten(self.train_images[self.some_train])
            components = min(NUM_COMPONENTS, *flat.shape)
            pca = PCA(components, random_state=0).fit(flat)
            words = f"the first {components} principal components of the training data"

            def function(images):
                return pca.transform(flatten(images))

        # Distances have no natural scale: all features are divided by one number, so that a feature
        # of the training data has the variance 1 on average.
        known = function(self.train_images[self.some_train])
        mean, scale = known.mean(axis=0), np.sqrt(known.var(axis=0).mean()) or 1.0
        return (lambda images: (function(images) - mean) / scale), words

    def features_of(self, images):
        return self.features[0](np.asarray(images, "float32"))

    @functools.cached_property
    def test_features(self):
        return self.features_of(self.test_images)

    def preferences(self, images, own=None):
        """Return the preference of each image for training examples. `own`: the index of the test
        example from which each image was made."""
        if own is not None:
            own = np.searchsorted(self.others, own)
        return preferences(images, self.train_images, self.test_images[self.others], own)

    @functools.cached_property
    def own_preferences(self):
        """The preferences of the `compared` test images themselves: those that the data have."""
        return self.preferences(self.test_images[self.compared], self.compared)

    def training_distances(self, images):
        return measures.nearest_training_distance(images, self.train_images)

    @functools.cached_property
    def own_distances(self):
        """The distances of the `compared` test images themselves to the training images."""
        return self.training_distances(self.test_images[self.compared])

    @functools.cached_property
    def anomalies(self):
        """Anomalous test data: square images turned on their side (except sprites, which may lie
        so); other data with each value shuffled among the examples."""
        square = len(self.shape) == 3 and self.shape[0] == self.shape[1]
        if square and self.name != "dsprites":
            return np.ascontiguousarray(np.rot90(self.x_test, axes=(1, 2)))
        generator = np.random.default_rng(0)
        flat = flatten(self.x_test)
        return generator.permuted(flat, axis=0).reshape(self.x_test.shape)

    def pairs(self, between_classes=False):
        """Return indices of pairs of test examples: any pairs, or those of different classes."""
        start = np.arange(len(self.x_test))
        end = np.random.default_rng(0).permutation(start)
        what = self.labels() if between_classes else start
        keep = what[start] != what[end]
        return start[keep], end[keep]


def labels_of(name, y, x):
    """Return `y` as an array with a label, or some factors, for each of `x`, or None; else
    raise."""
    if y is None:
        return None
    y = check_labels(f"dataset: {name}", y)
    if y.ndim not in (1, 2) or len(y) != len(x):
        length = f"length {len(y)}" if y.ndim == 1 else f"shape {y.shape}"
        raise ValueError(
            "`dataset` must hold a label for each example, or None. Received: "
            f"{name} of {length} beside {len(x)} examples."
        )
    return y


def check_examples(name, x):
    """Return `x` as an array of finite numbers, one example per row, else raise an error."""
    if not is_array(x):
        raise ValueError(
            f"`dataset` must hold arrays. Received: {name}, a {type(x).__name__}. Take the first "
            "examples of a dataset that is read in batches."
        )
    x = as_numpy(x)
    if x.ndim < 2 or x.dtype.kind not in "fiub":
        raise ValueError(
            "`dataset` must hold arrays of numbers, of shape (n, ...). Received: "
            f"{name} of shape {x.shape}, {x.dtype}."
        )
    if not np.isfinite(x).all():
        raise ValueError(
            f"`dataset` must be finite. Received: {name} with "
            f"{int((~np.isfinite(x)).sum())} NaN or infinite values."
        )
    return x


def flatten(x):
    return np.asarray(x).reshape(len(x), math.prod(np.shape(x)[1:]))
