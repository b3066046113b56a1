"""A small classifier, whose features are used to compare samples with data."""

import itertools

import keras
from keras import ops

from keras_aevae import datasets, hub
from keras_aevae._checks import (
    check_name,
    check_positive_integer,
    check_positive_integers,
    check_shape,
)
from keras_aevae.engine.value_checks import check_values
from keras_aevae.networks import conv

# The labels of each dataset: one class, or five factors.
CLASSES = {"digits": (10,), "mnist": (10,), "fashion_mnist": (10,), "dsprites": (3, 6, 40, 32, 32)}
# The number of training images, if it isn't the dataset's usual one; and of passes over them.
NUM_TRAIN = {"dsprites": 40_000}
EPOCHS = {"digits": 20, "mnist": 5, "fashion_mnist": 8, "dsprites": 8}


@keras.saving.register_keras_serializable(package="keras_aevae")
class Classifier(keras.Model):
    """A small convolutional classifier of images, whose last hidden layer gives features.

    Images with the same meaning have features near each other.

    Good for: Fréchet and kernel distances, precision and recall of samples of the dataset that it
    was trained on. Misleads on other data. A distance between its features can't be compared with
    one between the features of an Inception network (FID) or of another classifier.

    Args:
        data_shape: (height, width, channels).
        classes: number of classes of each label: (10,), or one number for each of several factors.
        filters: number of channels of each level, each of which halves the image.
        features: number of features.

    A call on images (n, height, width, channels) gives logits (n, sum(classes)).

    Example:

    ```python
    from keras_aevae import datasets, latent
    _, (x_test, _) = datasets.load("digits")
    features = latent.Classifier.from_preset("classifier_digits").features(x_test)  # (360, 64)
    ```
    """

    presets = hub.Presets()

    def __init__(self, data_shape, classes, filters=(32, 64), features=64, **kwargs):
        super().__init__(**kwargs)
        self.data_shape = check_shape("data_shape", data_shape)
        self.classes = check_positive_integers("classes", classes, minimum_length=1)
        self.filters = check_positive_integers("filters", filters, minimum_length=1)
        self.num_features = check_positive_integer("features", features)
        self.trunk, _ = conv(data_shape, 1, filters=filters, hidden=features)
        self.head = keras.layers.Dense(sum(self.classes), name="logits")
        self.head.build((None, features))
        self.built = True

    def call(self, x):
        return self.head(self.trunk(x))

    def of_factors(self, logits):
        """Return the logits of each factor, as a list."""
        ends = itertools.accumulate(self.classes)
        return [logits[:, end - size : end] for size, end in zip(self.classes, ends)]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the cross-entropy in nats, summed over the factors."""
        labels = ops.reshape(y, (-1, len(self.classes)))
        losses = [
            keras.losses.sparse_categorical_crossentropy(labels[:, i], logits, from_logits=True)
            for i, logits in enumerate(self.of_factors(y_pred))
        ]
        return ops.mean(sum(losses))

    def features(self, x, *, batch_size=512):
        """Return the features of images (n, height, width, channels): array of shape
        (n, features)."""
        check_values("x", x, self.data_shape, support=None)
        return self.trunk.predict(x, batch_size=batch_size, verbose=0)

    def accuracy(self, x, y, *, batch_size=512):
        """Return the share of labels `y`, shape (n,) or (n, factors), that it predicts
        correctly."""
        logits = self.predict(x, batch_size=batch_size, verbose=0)
        named = [part.argmax(axis=1) for part in self.of_factors(logits)]
        y = y.reshape(len(y), -1)
        return float(sum((n == y[:, i]).mean() for i, n in enumerate(named)) / len(named))

    @classmethod
    def from_preset(cls, preset, *, load_weights=True):
        """Load a trained classifier, such as "classifier_mnist": see `Autoencoder.from_preset`."""
        return hub.load(cls, preset, load_weights=load_weights)

    def save_to_preset(self, directory, *, card=None, metadata=None):
        """Write the classifier to `directory`, as `Autoencoder.save_to_preset` does."""
        hub.save(self, directory, card=card, metadata=metadata or {})

    def get_config(self):
        return {
            **super().get_config(),
            "data_shape": self.data_shape,
            "classes": self.classes,
            "filters": self.filters,
            "features": self.num_features,
        }


def train_classifier(dataset, *, epochs=None, seed=0, verbose=1):
    """Train the classifier of a dataset, as its preset was trained.

    Example:

    ```python
    from keras_aevae.latent.classifier import train_classifier
    classifier = train_classifier("digits", epochs=1, verbose=0)
    ```
    """
    check_name("dataset", dataset, CLASSES)
    epochs = epochs or EPOCHS[dataset]
    keras.utils.set_random_seed(seed)
    (x, y), _ = datasets.load(dataset, num_train=NUM_TRAIN.get(dataset))
    filters = (32, 64, 64) if x.shape[1] > 32 else (32, 64)
    model = Classifier(x.shape[1:], CLASSES[dataset], filters, name=f"classifier_{dataset}")
    steps = -(-len(x) // 128) * epochs
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    model.compile(keras.optimizers.Adam(rate))
    model.fit(x, y, batch_size=128, epochs=epochs, verbose=verbose)
    return model
