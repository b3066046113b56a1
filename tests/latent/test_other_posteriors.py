"""Rows and pictures of models whose posterior or prior isn't the usual one."""

import html
import re

import keras
import pytest
from families import CouplingCode, LaplaceCode, Scaled, StandardLaplace, WideNormal

from keras_aevae import VAE, datasets, latent, networks
from keras_aevae.latent import plots

GAUSSIAN_ONLY = ("mutual_information", "total_correlation", "dimension_wise_kl")


@pytest.mark.parametrize(
    "settings, reason",
    [
        (lambda: {"posterior": LaplaceCode()}, "its posteriors aren't Gaussians"),
        (lambda: {"posterior": CouplingCode()}, "its posteriors aren't Gaussians"),
        (
            lambda: {"posterior": LaplaceCode(), "prior": StandardLaplace(2)},
            "its posteriors aren't",
        ),
        (lambda: {"prior": WideNormal(2)}, r"its prior isn't N\(0, I\)"),
        (lambda: {"prior": Scaled(2)}, r"its prior isn't N\(0, I\)"),
    ],
)
def test_rows_of_gaussians_are_left_out_with_the_reason(settings, reason, tmp_path):
    keras.utils.set_random_seed(0)
    model = VAE(*networks.mlp((8, 8, 1), 2, hidden=(16,)), seed=0, **settings())
    (x, y), (x_test, y_test) = datasets.load("digits")
    data = (x[:200], y[:200]), (x_test[:100], y_test[:100])
    found = latent.compare({"VAE": model}, data, num_samples=5, verbose=0)
    for key in GAUSSIAN_ONLY:
        assert re.search(reason, found.left_out["VAE"][key])
    assert {"kl", "log_likelihood", "code_scale", "holes_prior"} <= set(found.numbers["VAE"])
    found.save(tmp_path / "report.html")
    report = html.unescape((tmp_path / "report.html").read_text("utf-8"))
    assert re.search(reason, report)  # of the rows, and of the picture of the rates
    if settings().get("prior"):
        with pytest.raises(ValueError, match="`codes` are needed"):
            plots.manifold({"VAE": model})
