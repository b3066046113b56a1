"""What a model makes of data: each pass through it once, when a measure first asks for it."""

import dataclasses
import functools

import keras
import numpy as np

from keras_aevae.codes.paths import PATHS
from keras_aevae.distributions import FittedMixture, StandardNormal
from keras_aevae.latent import measures
from keras_aevae.latent.data import flatten
from keras_aevae.latent.measures._values import spaced

# Sources of codes that are fitted to those of the training data, by their Gaussians.
FITTED = {"gaussian": 1, "mixture": 10}
LARGEST_MIXTURE = 128  # latent dimensions; its covariances have their square
STEPS = 9  # points on a path, both ends included
NUM_PATHS = 200
NUM_JACOBIANS = 200
NUM_AXES = 64  # along which the decoder's Jacobian is taken
NUM_FACTORS = 5000  # codes from which the scores of disentanglement are computed
NUM_SHOWN = 10  # samples that are kept to be drawn
NUM_DRAWS = 500  # from the aggregate posterior, for the KL's split
BATCH_SIZE = 512


@dataclasses.dataclass(frozen=True)
class Part:
    """One of `of` parts of the test data; all of them by default."""

    number: int = 0
    of: int = 1

    def take(self, array):
        """This part of an array that is in the order of the test data, or evenly spaced over it:
        every so many, since data may be sorted."""
        return array[self.number :: self.of]


def kept(method):
    """As `functools.cache`, with the answers kept by the object itself."""

    @functools.wraps(method)
    def call(self, *arguments):
        key = (method.__name__, *arguments)
        if key not in self.answers:
            self.answers[key] = method(self, *arguments)
        return self.answers[key]

    return call


class Observations:
    """One trained model and the `Data` it is asked about.

    Arrays of examples are in the order of the test data, so that a slice of them is a part of it.
    """

    def __init__(self, model, data, *, num_samples=100, seed=0):
        self.model, self.data = model, data
        self.num_samples, self.seed = num_samples, seed
        self.answers = {}

    # Inputs: with the condition that a conditional model is told, which is the label

    def ask(self, verb, x, y=None, **settings):
        if self.model.condition_dim:
            settings["condition"] = y
        return getattr(self.model, verb)(x, batch_size=BATCH_SIZE, **settings)

    def train(self, verb, **settings):
        i, y = self.data.some_train, self.data.y_train
        return self.ask(verb, self.data.x_train[i], None if y is None else y[i], **settings)

    def test(self, verb, **settings):
        return self.ask(verb, self.data.x_test, self.data.y_test, **settings)

    # Errors of examples

    @kept
    def terms(self, which):
        """Of "train", "test" and "anomalies"."""
        if which == "train":
            return self.train("evaluate_terms")
        if which == "test":
            return self.test("evaluate_terms")
        return self.ask("evaluate_terms", self.data.anomalies, self.data.y_test)

    def term(self, which, name):
        terms = self.terms(which)
        if name not in terms:
            raise ValueError(f"its loss has no term '{name}'")
        return terms[name]

    @functools.cached_property
    def log_likelihoods(self):
        """Of the test examples `data.few`."""
        self.check_density()
        i, y = self.data.few, self.data.y_test
        labels = None if y is None else y[i]
        return self.ask("log_likelihood", self.data.x_test[i], labels, num_samples=self.num_samples)

    @kept
    def gap_interval(self, part):
        train, test = (self.term(which, "reconstruction") for which in ("train", "test"))
        return measures.generalization_gap_interval(train, part.take(test), seed=self.seed)

    def check_density(self):
        if self.model.stores != "distribution":
            raise ValueError("its codes have no density")

    def check_prior(self):
        if self.model.stores == "codebook" and self.model.fitted_prior is None:
            raise ValueError("its codes have no prior")

    @kept
    def bounds(self, which):
        """The ELBO of each example of "test" or "anomalies"."""
        if self.model.stores == "codebook":
            self.check_prior()
            x = self.data.x_test if which == "test" else self.data.anomalies
            return self.model.elbo(x, batch_size=BATCH_SIZE)
        self.check_density()
        return -self.term(which, "reconstruction") - self.term(which, "kl")

    @functools.cached_property
    def reconstructed(self):
        """The squared errors of all test examples, and the reconstructions of `data.compared`."""
        images = self.test("reconstruct")
        return squares(images, self.data.x_test), images[self.data.compared]

    @functools.cached_property
    def train_squares(self):
        return squares(self.train("reconstruct"), self.data.x_train[self.data.some_train])

    @kept
    def anomaly_scores(self, by):
        """Of the test examples and of the anomalies: "reconstruction", "elbo" or "density"."""
        if by == "density":
            codes = self.ask("encode", self.data.anomalies, self.data.y_test)
            return [
                measures.latent_density_scores(c, self.train_codes)
                for c in (self.test_codes, codes)
            ]
        if by == "elbo":
            return [-self.bounds(which) for which in ("test", "anomalies")]
        return [self.term(which, "reconstruction") for which in ("test", "anomalies")]

    # Codes

    @functools.cached_property
    def train_codes(self):
        """Means of the posteriors; `_draws` are draws from them."""
        return self.train("encode")

    @functools.cached_property
    def test_codes(self):
        return self.test("encode")

    @functools.cached_property
    def train_draws(self):
        if self.model.stores != "distribution":  # points are their own draws
            return self.train_codes
        return self.train("encode", sample=True)

    @functools.cached_property
    def test_draws(self):
        if self.model.stores != "distribution":
            return self.test_codes
        return self.test("encode", sample=True)

    @functools.cached_property
    def train_whitened(self):
        return measures.whiten(self.train_codes)

    @functools.cached_property
    def test_whitened(self):
        return measures.whiten(self.test_codes, self.train_codes)

    @functools.cached_property
    def posterior(self):
        """Mean and logarithm of the variance, (n, latent_dim) each, of a VAE under N(0, I)."""
        self.check_density()
        if not isinstance(self.model.prior, StandardNormal):
            raise ValueError("its prior is learned")
        inputs = self.data.x_test
        if self.model.condition_dim:
            inputs = self.model.check_inputs(inputs, self.data.y_test)
        inferred = self.model.run(self.model.posterior_at, inputs, batch_size=BATCH_SIZE, verbose=0)
        return inferred["z_mean"], inferred["z_log_var"]

    @kept
    def kl_split(self, part):
        mean, log_var = map(part.take, self.posterior)
        return measures.kl_decomposition(mean, log_var, NUM_DRAWS, seed=self.seed)

    @kept
    def clusters(self, kind, part):
        """Of "codes" or of "whitened" ones."""
        codes, labels = getattr(self, f"test_{kind}"), self.data.labels("test")
        codes, labels = part.take(codes), part.take(labels)
        return measures.clustering_agreement(codes, labels, seed=self.seed)

    def beside_factors(self, part):
        """Training codes and their factors, test codes and theirs: some of each."""
        known, factors = self.data.factors("train"), self.data.factors("test")
        chosen = spaced(len(self.data.some_train), NUM_FACTORS)
        train = self.train_codes[chosen], known[self.data.some_train][chosen]
        codes, factors = part.take(self.test_codes), part.take(factors)
        chosen = spaced(len(codes), NUM_FACTORS)
        return *train, codes[chosen], factors[chosen]

    @kept
    def dci(self, part):
        return measures.dci(*self.beside_factors(part), seed=self.seed)

    @functools.cached_property
    def axes(self):
        """Principal axes of the training codes, each as long as their standard deviation there."""
        codes = np.asarray(self.train_codes, "float64")
        values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(codes, rowvar=False)))
        used = values > 1e-7 * values[-1]
        return (vectors * np.sqrt(np.maximum(values, 0))).T[used][::-1][:NUM_AXES]

    @functools.cached_property
    def jacobians(self):
        chosen = spaced(len(self.test_codes), NUM_JACOBIANS)
        return measures.decoder_jacobian_spectrum(
            self.model, self.test_codes[chosen], basis=self.axes
        )

    # Samples

    @kept
    def fitted(self, num_components):
        """The mixture of so many Gaussians that is fitted to the training codes."""
        codes = self.train_draws
        if num_components > 1 and codes.shape[1] > LARGEST_MIXTURE:
            raise ValueError(f"the mixture is fitted to at most {LARGEST_MIXTURE} dimensions")
        prior = FittedMixture(codes.shape[1], num_components, seed=self.seed)
        prior.fit(codes)
        return prior.distribution()

    @kept
    def codes_from(self, source):
        """As many codes as test examples, (n, latent_dim); of the prior the very ones that
        `samples` decodes."""
        count = len(self.data.x_test)
        if source == "encodings":
            return self.test_draws
        if source in FITTED:
            p = self.fitted(FITTED[source])
            return keras.ops.convert_to_numpy(p.sample((count,), seed=self.seed))
        if self.model.stores == "codebook":
            raise ValueError("codes of a codebook have no prior of vectors")
        return self.model.sample_codes(count, seed=self.seed)

    @kept
    def sampled(self, source):
        """Decoded from codes of that source, as many as test examples: the features of all, the
        first images, and, from the prior, the images `data.compared`."""
        n = len(self.data.x_test)
        if source == "prior":
            self.check_prior()
            settings = {"condition": self.data.y_test} if self.model.condition_dim else {}
            images = self.model.sample(n, seed=self.seed, batch_size=BATCH_SIZE, **settings)
        else:
            images = self.ask("decode", self.codes_from(source), self.data.y_test)
        compared = images[self.data.compared] if source == "prior" else None
        return self.data.features_of(images), images[:NUM_SHOWN].copy(), compared

    def sample_features(self, source):
        return self.sampled(source)[0]

    @kept
    def precision_recall(self, source, part):
        real, fake = part.take(self.data.test_features), part.take(self.sample_features(source))
        return measures.precision_recall(real, fake)

    def compared_images(self, what):
        """Of `data.compared`: the "reconstructions", or as many samples from the "prior"."""
        return self.reconstructed[1] if what == "reconstructions" else self.sampled(what)[2]

    @kept
    def preferences(self, what):
        """For training images, of `compared_images`; without a test image's own reconstruction."""
        own = self.data.compared if what == "reconstructions" else None
        return self.data.preferences(self.compared_images(what), own)

    @kept
    def training_distances(self, what):
        return self.data.training_distances(self.compared_images(what))

    # Paths between the codes of pairs of test examples

    def ends(self, start, end):
        """Codes of both ends; a conditional model is told the label of the start all the way, as
        by its own `interpolate`."""
        if not self.model.condition_dim:
            return self.test_codes[start], self.test_codes[end]
        x, y = self.data.x_test[end], self.data.y_test[start]
        return self.test_codes[start], self.ask("encode", x, y)

    @kept
    def midpoint_features(self, method, between_classes):
        """Of the images half-way on as many paths as there are pairs."""
        start, end = self.data.pairs(between_classes)
        middle = PATHS[method](*self.ends(start, end), 0.5)
        labels = None if self.data.y_test is None else self.data.y_test[start]
        return self.data.features_of(self.ask("decode", middle.astype("float32"), labels))

    @kept
    def path_features(self, method, between_classes):
        """Of all images on some paths, (n, STEPS, features)."""
        pairs = self.data.pairs(between_classes)
        start, end = (i[spaced(len(i), NUM_PATHS)] for i in pairs)
        a, b = (codes[:, None] for codes in self.ends(start, end))
        codes = PATHS[method](a, b, np.linspace(0, 1, STEPS)[None, :, None])
        codes = codes.reshape(-1, self.model.latent_dim).astype("float32")
        labels = None if self.data.y_test is None else np.repeat(self.data.y_test[start], STEPS, 0)
        features = self.data.features_of(self.ask("decode", codes, labels))
        return features.reshape(len(start), STEPS, -1)


def squares(a, b):
    """Mean squared error of each example."""
    return np.square(flatten(a).astype("float64") - flatten(b)).mean(axis=1)
