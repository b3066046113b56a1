"""What the numbers of a comparison show, in sentences that say no more than was measured."""

import math

# A difference counts when it is more than this many of its standard errors from 0.
STANDARD_ERRORS = 2
# Codes of more than this size, where the prior's have 1, are called far from it.
FAR = 1.5


def findings(numbers, likelihoods):
    """Sentences about the models, by topic.

    Args:
        numbers: dict from a model's name to what `summary` returned for it.
        likelihoods: dict from the same names to the names of their likelihoods: nats of different
            ones aren't compared.

    Returns:
        A dict of lists of sentences: "reconstruction", "gap", "codes", "information", "samples".
    """
    return {
        "reconstruction": reconstruction(numbers, likelihoods),
        "gap": gap(numbers, likelihoods),
        "codes": codes(numbers),
        "information": information(numbers),
        "samples": samples(numbers),
    }


def reconstruction(numbers, likelihoods):
    nats = {name: one["test_reconstruction"] for name, one in numbers.items()}
    squares = {name: one["test_mse"] for name, one in numbers.items()}
    if comparable(likelihoods):
        verdict = lowest(nats, "{:.2f} nats")
    else:
        kinds = each(likelihoods, "{}")
        verdict = f". The likelihoods differ ({kinds}), so these nats can't be compared"
    return [
        f"The error on test images is {each(nats, '{:.2f} nats')}{verdict}.",
        f"The squared error of a pixel is {each(squares, '{:.4f}')}{lowest(squares, '{:.4f}')}.",
    ]


def gap(numbers, likelihoods):
    gaps = {
        name: (one["generalization_gap"], one["generalization_gap_se"])
        for name, one in numbers.items()
    }
    written = listing([f"{gap:+.2f} ± {se:.2f} for {name}" for name, (gap, se) in gaps.items()])
    sentences = [f"Test error minus training error, in nats ± standard error: {written}."]
    above = [name for name, (gap, se) in gaps.items() if gap > STANDARD_ERRORS * se]
    unclear = [name for name, (gap, se) in gaps.items() if abs(gap) <= STANDARD_ERRORS * se]
    if above:
        sentences.append(
            f"The training images come back better than new ones from {listing(above)}, by more "
            f"than {STANDARD_ERRORS} standard errors: a sign of knowing them by heart."
        )
    if unclear:
        sentences.append(
            f"For {listing(unclear)} the difference is within {STANDARD_ERRORS} standard errors of "
            "0: no sign of knowing by heart here."
        )
    if len(gaps) > 1 and comparable(likelihoods):
        small, large = (pick(gaps, key=lambda name: gaps[name][0]) for pick in (min, max))
        difference = gaps[large][0] - gaps[small][0]
        # As if the models' errors were independent of each other. Mostly they agree on which
        # images are hard, so that the true standard error is smaller.
        se = math.hypot(gaps[large][1], gaps[small][1])
        if difference > STANDARD_ERRORS * se:
            verdict = f"more than {STANDARD_ERRORS} standard errors, so hardly by chance"
        else:
            verdict = f"within {STANDARD_ERRORS} standard errors, so it may be chance"
        sentences.append(
            f"The gap between test and training error is smaller for {small} than for {large} by "
            f"{difference:.2f} ± {se:.2f} nats; {verdict} in which images were chosen."
        )
    return sentences


def codes(numbers):
    sizes = {name: one["code_scale"] for name, one in numbers.items()}
    units = {name: f"{one['active_units']} of {one['latent_dim']}" for name, one in numbers.items()}
    return [
        "Codes drawn from the prior have a size (root mean square of a coordinate) of 1; that of "
        f"the test images' codes is {each(sizes, '{:.2f}')}.",
        f"Latent dimensions in use: {each(units, '{}')}.",
    ]


def information(numbers):
    sentences = []
    for name, one in numbers.items():
        if "test_kl" not in one:
            continue
        sentences += [
            f"{name} spends {one['test_kl']:.2f} nats an image on its cloud's difference from the "
            "prior (KL).",
            f"{name} has an ELBO of {one['test_elbo']:.2f} nats an image; log p(x) is estimated at "
            f"{one['test_log_likelihood']:.2f} nats, from {one['num_samples']} importance samples.",
        ]
        if one["active_units"] == 0:
            sentences.append(f"{name} uses no latent dimension at all: posterior collapse.")
    return sentences


def samples(numbers):
    sentences = ["There is no number here for how good samples are: the images are the evidence."]
    far = [name for name, one in numbers.items() if one["code_scale"] > FAR]
    if far:
        sentences.append(
            f"Where codes lie was measured: those of {listing(far)} are so much larger than draws "
            "from the prior that the decoder is mostly asked for codes nearer to 0 than those it "
            "was trained on."
        )
    return sentences


def comparable(likelihoods):
    return len(set(likelihoods.values())) == 1


def each(values, text):
    """ "1.00 for A and 2.00 for B"."""
    return listing([f"{text.format(value)} for {name}" for name, value in values.items()])


def lowest(values, text):
    """Which of `values` is the lowest, and how far below the next; "" where none prints lower."""
    if len(values) < 2:
        return ""
    first, second = sorted(values, key=values.get)[:2]
    if text.format(values[first]) == text.format(values[second]):
        return ""
    least = "lower" if len(values) == 2 else "lowest"
    return f"; {least} for {first}, by {text.format(values[second] - values[first])}"


def listing(items):
    """ "A, B and C"."""
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last
