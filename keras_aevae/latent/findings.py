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
        A dict from "reconstruction", "gap", "codes", "information", "samples" to a list of sentences.
    """
    return {
        "reconstruction": reconstruction(numbers, likelihoods),
        "gap": gap(numbers),
        "codes": codes(numbers),
        "information": information(numbers),
        "samples": samples(numbers),
    }


def reconstruction(numbers, likelihoods):
    values = {name: one["test_reconstruction"] for name, one in numbers.items()}
    errors = each(values, "{:.2f} nats")
    sentences = [f"On test images the mean reconstruction error is {errors}"]
    if len(set(likelihoods.values())) > 1:
        sentences[0] += (
            "; these can't be compared, since the models' likelihoods differ "
            f"({each(likelihoods, '{}')})."
        )
    else:
        sentences[0] += lowest(values, "{:.2f} nats") + "."
    values = {name: one["test_mse"] for name, one in numbers.items()}
    sentences.append(
        f"The squared error of a pixel is {each(values, '{:.4f}')}{lowest(values, '{:.4f}')}."
    )
    return sentences


def gap(numbers):
    gaps = {
        n: (one["generalization_gap"], one["generalization_gap_se"]) for n, one in numbers.items()
    }
    moves = {
        name: f"{'rises' if value > 0 else 'falls'} by {abs(value):.2f} nats (standard error {se:.2f})"
        for name, (value, se) in gaps.items()
    }
    sentences = [
        "From training to test images the error "
        + listing([f"{move} for {name}" for name, move in moves.items()])
        + "."
    ]
    for name, (value, se) in gaps.items():
        if value > STANDARD_ERRORS * se:
            sentences.append(
                f"{name} gives back images it was trained on better than new ones, by more than "
                "the choice of images explains."
            )
    unclear = [name for name, (value, se) in gaps.items() if abs(value) <= STANDARD_ERRORS * se]
    if unclear:
        sentences.append(
            f"For {listing(unclear)} that is within {STANDARD_ERRORS} standard errors of 0: no "
            "memorising shows in this measure."
        )
    if len(gaps) > 1:
        small, large = (pick(gaps, key=lambda name: gaps[name][0]) for pick in (min, max))
        difference = gaps[large][0] - gaps[small][0]
        # As if the models' errors were independent; they agree on which images are hard, so the
        # true standard error is smaller.
        se = math.hypot(gaps[large][1], gaps[small][1])
        verdict = (
            "more than the choice of images explains"
            if difference > STANDARD_ERRORS * se
            else "too little to tell from the luck of which images were chosen"
        )
        sentences.append(
            f"The gap of {small} is smaller than that of {large} by {difference:.2f} nats "
            f"(standard error at most {se:.2f}): {verdict}."
        )
    return sentences


def codes(numbers):
    sizes = {name: one["code_scale"] for name, one in numbers.items()}
    units = {name: "{active_units} of {latent_dim}".format(**one) for name, one in numbers.items()}
    return [
        "Codes drawn from the prior have a size (root mean square of a coordinate) of 1; that of "
        f"the test images' codes is {each(sizes, '{:.2f}')}.",
        f"Latent dimensions in use: {each(units, '{}')}.",
    ]


def samples(numbers):
    sentences = ["There is no number here for how good samples are: the images are the evidence."]
    far = [name for name, one in numbers.items() if one["code_scale"] > FAR]
    if far:
        sentences.append(
            f"What was measured is where codes lie: those of {listing(far)} are so much larger than "
            "draws from the prior that the decoder is mostly asked for codes nearer to 0 than "
            "those it was trained on."
        )
    return sentences


def information(numbers):
    sentences = []
    for name, one in numbers.items():
        if "test_kl" not in one:
            continue
        sentences.append(
            "{name}'s code of an image says {test_kl:.2f} nats more than the prior does (KL).".format(
                name=name, **one
            )
        )
        if one["active_units"] == 0:
            sentences.append(
                f"No latent dimension of {name} is in use: its decoder ignores the code (posterior "
                "collapse)."
            )
        sentences.append(
            "Its ELBO is {test_elbo:.2f} nats, and log p(x) is estimated at "
            "{test_log_likelihood:.2f} nats from {num_samples} importance samples.".format(**one)
        )
    return sentences


def each(values, text):
    """ "1.00 for A and 2.00 for B"."""
    return listing([f"{text.format(value)} for {name}" for name, value in values.items()])


def lowest(values, text):
    """Which of `values` is the lowest as they are printed, and by how much; "" for one alone."""
    if len(values) < 2:
        return ""
    first, second = sorted(values, key=values.get)[:2]
    if text.format(values[first]) == text.format(values[second]):
        return ""
    return f"; lowest for {first}, by {text.format(values[second] - values[first])}"


def listing(items):
    """ "A, B and C"."""
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last
