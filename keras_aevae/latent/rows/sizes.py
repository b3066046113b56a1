"""The samples that the numbers of a comparison are taken of, and their sizes."""

from keras_aevae.latent.observations import NUM_DRAWS, NUM_FACTORS, NUM_JACOBIANS, NUM_PATHS

FEW_LABELS, MANY_LABELS = 100, 5000  # numbers of labels from which a probe learns

TRAIN = "training examples"
ALL_TRAIN = "training examples, all"
TEST = "test examples"
FEW = "test examples, some"
COMPARED = "images compared with training images"
SAMPLES = "samples"
DRAWS = "draws from the codes of all"
HALF_WAY = {False: "half-way images", True: "half-way images between classes"}
PATHS = {False: "paths", True: "paths between classes"}
JACOBIANS = "codes with a Jacobian"
LABELS = {FEW_LABELS: "labelled codes, few", MANY_LABELS: "labelled codes, many"}
ANOMALIES = "strange images"
FACTORS = "codes beside factors"


def sample_sizes(data, part):
    """Return the names above and their sizes in a `Part` of a `Data`."""
    train, n = len(data.some_train), len(part.take(data.x_test))
    try:
        between = data.pairs(between_classes=True)[0]
    except ValueError:  # no labels
        between = ()
    return {
        TRAIN: train,
        ALL_TRAIN: len(data.x_train),
        TEST: n,
        FEW: len(part.take(data.few)),
        COMPARED: len(part.take(data.compared)),
        SAMPLES: n,
        DRAWS: NUM_DRAWS,
        HALF_WAY[False]: n,
        HALF_WAY[True]: len(part.take(between)),
        PATHS[False]: len(part.take(data.x_test[:NUM_PATHS])),
        PATHS[True]: len(part.take(between[:NUM_PATHS])),
        JACOBIANS: len(part.take(data.x_test[:NUM_JACOBIANS])),
        **{words: min(count, train) for count, words in LABELS.items()},
        ANOMALIES: n,
        FACTORS: min(NUM_FACTORS, n),
    }
