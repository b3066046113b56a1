"""The rows of a comparison's table, as data, and how their numbers are written."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    """One measure: what it is called, what it means, and how its numbers read.

    `text` is a format string over the dict that `summary` returns; a model that lacks one of its
    numbers shows a dash.
    """

    name: str
    text: str
    unit: str
    meaning: str


ROWS = (
    Row(
        "Reconstruction error, test",
        "{test_reconstruction:.2f}",
        "nats",
        "How badly images that it has never seen are given back: minus log p(x|z). Lower is "
        "better, and below 0 is possible for grey values. A VAE is asked at a random draw from "
        "its cloud.",
    ),
    Row(
        "Reconstruction error, train",
        "{train_reconstruction:.2f}",
        "nats",
        "The same for the images it was trained on.",
    ),
    Row(
        "Generalisation gap",
        "{generalization_gap:+.2f} ± {generalization_gap_se:.2f}",
        "nats",
        "Test minus train, ± its standard error. Well above 0: it does better on the images it was "
        "trained on than on new ones.",
    ),
    Row(
        "Squared error, test",
        "{test_mse:.4f}",
        "per pixel",
        "Mean squared difference of image and reconstruction, no noise drawn in either model; "
        "lower is better.",
    ),
    Row("Squared error, train", "{train_mse:.4f}", "per pixel", "The same for training images."),
    Row(
        "KL to the prior",
        "{test_kl:.2f}",
        "nats",
        "What a VAE's code says about its image, beyond what the prior says of every image. "
        "An AE has none: its codes are points.",
    ),
    Row(
        "ELBO",
        "{test_elbo:.2f}",
        "nats",
        "What a VAE maximises: minus reconstruction error minus KL; a lower bound of log p(x). "
        "Higher is better.",
    ),
    Row(
        "log p(x), {num_samples} samples",
        "{test_log_likelihood:.2f}",
        "nats",
        "How probable the VAE finds the test images, by importance sampling; more samples give a "
        "slightly higher number.",
    ),
    Row(
        "Active units",
        "{active_units} of {latent_dim}",
        "",
        "Latent dimensions in use: those whose code varies over the images (variance above 0.01).",
    ),
    Row(
        "Size of the codes",
        "{code_scale:.2f}",
        "",
        "Root mean square of a code's coordinates. Codes drawn from the prior N(0, I) have 1.",
    ),
)


def fill(text, numbers):
    """`text` with `numbers` put in, or a dash where it asks for one that isn't there."""
    try:
        return text.format(**numbers)
    except KeyError:
        return "-"


def table(numbers):
    """Rows of strings from the dict of each model's numbers: name, unit, then a value a model.

    Args:
        numbers: a dict from a model's name to what `summary` returned for it.

    Returns:
        A list of `(row, name, values)`: the `Row`, its name filled in, a list of strings. Rows
        that no model has a number for are left out.
    """
    everything = {key: value for one in numbers.values() for key, value in one.items()}
    filled = [
        (row, fill(row.name, everything), [fill(row.text, one) for one in numbers.values()])
        for row in ROWS
    ]
    return [line for line in filled if set(line[2]) != {"-"}]
