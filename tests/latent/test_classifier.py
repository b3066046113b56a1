"""The classifiers in whose features samples are compared."""

import keras
import numpy as np
import pytest

from keras_aevae import datasets, latent
from keras_aevae.latent.classifier import CLASSES, Classifier, train_classifier
from keras_aevae.latent.data import Data


def test_presets_are_there_for_every_dataset_and_accurate():
    for dataset in CLASSES:
        metadata = Classifier.presets[f"classifier_{dataset}"]
        assert metadata["recipe"]["dataset"] == dataset
        assert metadata["measured"]["test_accuracy"] > 0.85


def test_the_card_tells_the_accuracy_of_the_preset():
    _, (x, y) = datasets.load("digits")
    metadata = Classifier.presets["classifier_digits"]
    found = Classifier.from_preset("classifier_digits").accuracy(x, y)
    assert found == pytest.approx(metadata["measured"]["test_accuracy"], abs=1e-6)


def test_factors_have_logits_of_their_own(rng):
    keras.utils.set_random_seed(0)
    model = Classifier((9, 7, 1), (3, 4), filters=(8,), features=16)
    x, y = rng.uniform(size=(20, 9, 7, 1)).astype("float32"), rng.integers(3, size=(20, 2))
    logits = model.predict(x, verbose=0)
    assert logits.shape == (20, 7) and model.features(x).shape == (20, 16)
    by_hand = 0.0
    for i, part in enumerate((logits[:, :3], logits[:, 3:])):
        part = part - part.max(axis=1, keepdims=True)
        log_p = part - np.log(np.exp(part).sum(axis=1, keepdims=True))
        by_hand -= log_p[np.arange(20), y[:, i]].mean()
    model.compile()
    assert model.evaluate(x, y, verbose=0) == pytest.approx(by_hand, rel=1e-5)
    named = (logits[:, :3].argmax(1) == y[:, 0]).mean() + (
        logits[:, 3:].argmax(1) == y[:, 1]
    ).mean()
    assert model.accuracy(x, y) == pytest.approx(named / 2)


def test_training_is_repeated_by_its_seed():
    models = [train_classifier("digits", epochs=1, verbose=0) for _ in range(2)]
    x = datasets.load("digits")[0][0][:10]
    np.testing.assert_allclose(*(m.features(x) for m in models), atol=1e-5)
    with pytest.raises(ValueError, match="dataset='digit'. Did you mean: digits"):
        train_classifier("digit")


def test_features_of_other_data_are_principal_components(rng):
    x = rng.normal(size=(50, 6)).astype("float32")
    data = Data.of(((x, None), (x[:20], None)))
    features = data.features_of(x)
    assert "6 principal components" in data.features[1]
    # a rotation of the data, in a unit that gives the training data variance 1: distances stay
    distance = np.linalg.norm(x[0] - x[1]) / np.sqrt(x.var(axis=0).mean())
    assert np.linalg.norm(features[0] - features[1]) == pytest.approx(distance, rel=1e-5)
    assert features.var(axis=0).mean() == pytest.approx(1, rel=1e-5)


def test_wrong_images_are_named():
    model = latent.Classifier.from_preset("classifier_digits")
    with pytest.raises(ValueError, match=r"\(n, 8, 8, 1\)"):
        model.features(np.zeros((3, 9, 9, 1), "float32"))
