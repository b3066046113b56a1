"""What takes minutes on large data tells how far it is."""

import inspect
import re

import numpy as np
import pytest

from keras_aevae import latent
from keras_aevae.datasets import DSprites

A, B = np.random.default_rng(0).normal(size=(2, 60, 3))
KNOWN = np.arange(60)[:, None] % [2, 3]  # two factors


class Pooled:
    """The first pixels of images as their code."""

    def encode(self, x):
        return x.reshape(len(x), -1)[:, 2000:2005]


class Linear:
    condition_dim, latent_dim, data_shape = 0, 3, (3,)

    def decode(self, z):
        return 2 * z


FEW = {"num_train": 20, "num_test": 10, "size": 4}
# Arguments of each, and how far its bar runs.
SLOW = {
    "beta_vae_score": ((Pooled(), DSprites()), FEW, 2 * 30 * 4),
    "dci": ((A, KNOWN, B, KNOWN), {"n_estimators": 3}, 2 * 3),
    "decoder_jacobian_spectrum": ((Linear(), A), {}, 60),
    "explicitness": ((A, KNOWN, B, KNOWN), {}, 2),
    "factor_vae_score": ((Pooled(), DSprites()), {**FEW, "num_variance": 50}, 50 + 30 * 4),
    "holes": ((A, B), {}, 60 + 60),
    "kl_decomposition": ((A, B), {"num_draws": 7}, 7 * 3),
    "maximum_mean_discrepancy": ((A, B[:20]), {}, 2 * 60 + 20),
    "memorization_score": ((A, B[:20], B[20:]), {}, 60),
    "nearest_neighbour_probe": ((A, KNOWN[:, 0], B, KNOWN[:, 0]), {}, 60),
    "nearest_training_distance": ((A, B), {}, 60),
    "precision_recall": ((A, B[:20]), {}, 2 * 60 + 20),
    "separated_attribute_predictability": ((A, KNOWN, B, KNOWN), {}, 3 * 2),
    "training_preference": ((A, B, B[:20]), {}, 2 * 60),
}


def test_all_that_have_a_bar_are_here():
    measures = {name: getattr(latent, name) for name in latent.measures.__all__}
    have = {n for n, f in measures.items() if "verbose" in inspect.signature(f).parameters}
    # These have the bar of the model's method.
    of_the_model = {"elbo", "kl", "log_likelihood", "mean_squared_error", "reconstruction_error"}
    assert have - of_the_model == set(SLOW)


@pytest.mark.parametrize("name", SLOW)
def test_the_bar_runs_to_its_end(name, capsys):
    arguments, settings, total = SLOW[name]
    quiet = getattr(latent, name)(*arguments, **settings)
    assert capsys.readouterr().out == ""
    told = getattr(latent, name)(*arguments, **settings, verbose=1)
    np.testing.assert_equal(told, quiet)
    shown = re.sub(r"\x1b\[\d+m", "", capsys.readouterr().out)
    counts = [tuple(map(int, count)) for count in re.findall(r"(\d+)/(\d+)", shown)]
    assert (total, total) in counts
    assert all(done <= of for done, of in counts)


def test_the_bar_of_a_report_runs_to_its_end(comparison, tmp_path, capsys):
    comparison.save(tmp_path)
    assert capsys.readouterr().out == ""
    comparison.save(tmp_path, verbose=1)
    assert "7/7" in re.sub(r"\x1b\[\d+m", "", capsys.readouterr().out)
