"""What the numbers of a comparison are taken of, and how many of each there are."""

from keras_aevae.latent.observations import NUM_FACTORS, NUM_JACOBIANS, NUM_PATHS

FEW_LABELS, MANY_LABELS = 100, 5000  # that a probe learns from

TRAIN = "training examples"
TEST = "test examples"
FEW = "of the test examples"
SAMPLES = "samples"
HALF_WAY = "half-way images"
PATHS = "paths"
JACOBIANS = "codes"
LABELS = {FEW_LABELS: "labelled codes, few", MANY_LABELS: "labelled codes, many"}
ANOMALIES = "strange images"
FACTORS = "codes beside factors"


def sample_sizes(data, part):
    """The names above, and how many there are in a `Part` of a `Data`, at most: without the
    examples that a row has no use for."""
    train, n = len(data.some_train), len(part.take(data.x_test))
    return {
        TRAIN: train,
        TEST: n,
        FEW: len(part.take(data.few)),
        SAMPLES: n,
        HALF_WAY: n,
        PATHS: len(part.take(data.x_test[:NUM_PATHS])),
        JACOBIANS: len(part.take(data.x_test[:NUM_JACOBIANS])),
        **{words: min(count, train) for count, words in LABELS.items()},
        ANOMALIES: n,
        FACTORS: min(NUM_FACTORS, n),
    }
