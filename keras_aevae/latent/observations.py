"""The outputs of a model on data, each computed once, when a measure first needs it."""

import dataclasses
import functools

import keras
import numpy as np

from keras_aevae.codes.paths import PATHS
from keras_aevae.distributions import DiagonalGaussian, FittedMixture, LearnedPrior
from keras_aevae.distributions.diagonal_gaussian import is_standard_normal
from keras_aevae.latent import measures
from keras_aevae.latent.data import flatten
from keras_aevae.latent.measures._values import spaced

# Sources of codes that are Gaussians fitted to the codes of the training data.
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
    """One of `of` parts of the test data; by default all of them."""

    number: int = 0
    of: int = 1

    def take(self, array):
        """Return this part of an array that is in the order of the test data, or evenly spaced over
        it: every `of`-th entry, since data may be sorted."""
        return array[self.number :: self.of]


def kept(method):
    """Cache the results of a method, as `functools.cache` does, but in the object itself."""

    @functools.wraps(method)
    def call(self, *arguments):
        key = (method.__name__, *arguments)
        if key not in self.answers:
            self.answers[key] = method(self, *arguments)
        return self.answers[key]

    return call


class Observations:
    """One trained model and its outputs on a `Data`.

    Arrays of examples are in the order of the test data, so that a slice of them is a part of it.
    """

    def __init__(self, model, data, *, num_samples=100, seed=0):
        self.model, self.data = model, data
        self.num_samples, self.seed = num_samples, seed
        self.answers = {}

    # Inputs: for a conditional model with the condition, which is the label.

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
        """Return the loss's terms of each example of "train", "test" or "anomalies"."""
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
        """Return log p(x) of the test examples `data.few`."""
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
        """Return the ELBO of each example of "test" or "anomalies", under the prior of `rates`."""
        if self.model.stores == "codebook":
            self.check_prior()
            x = self.data.x_test if which == "test" else self.data.anomalies
            return self.ask("elbo", x, self.data.y_test)
        self.check_density()
        return -self.term(which, "reconstruction") - self.rates(which)

    @kept
    def rates(self, which):
        """Return KL(q(z|x) || p(z)) of each example of "test" or "anomalies". p(z) is the prior of
        the samples and of log p(x): the fitted one, if there is one, else the model's own."""
        if self.model.fitted_prior is None:
            return self.term(which, "kl")
        self.check_density()
        x = self.data.x_test if which == "test" else self.data.anomalies
        return self.batched(self.model.kl_to_prior, x, self.data.y_test)

    def batched(self, method, x, y):
        """Return the model's `method` of one batch over all of x."""
        inputs = self.model.check_inputs(x, y if self.model.condition_dim else None)
        return self.model.run(method, inputs, batch_size=BATCH_SIZE, verbose=0)

    @functools.cached_property
    def test_indices(self):
        """Return the indices of the codes of the test examples, of a model with a codebook."""
        return self.test("encode_indices")

    @functools.cached_property
    def reconstructed(self):
        """Return the squared errors of all test examples, and the reconstructions of
        `data.compared`."""
        images = self.test("reconstruct")
        return squares(images, self.data.x_test), images[self.data.compared]

    @functools.cached_property
    def train_squares(self):
        return squares(self.train("reconstruct"), self.data.x_train[self.data.some_train])

    @kept
    def anomaly_scores(self, by):
        """Return scores of the test examples and the anomalies, by "reconstruction", "elbo" or
        "density"."""
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
        """Return the means of the posteriors; `_draws` returns draws from them."""
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
        """Return the mean and the log-variance, (n, latent_dim) each, of a VAE that was trained
        under N(0, I)."""
        self.check_density()
        code = self.model.code
        if code.family is None or not issubclass(code.family, DiagonalGaussian):
            raise ValueError("its posteriors aren't Gaussians with a diagonal covariance")
        if isinstance(code.prior, LearnedPrior):
            raise ValueError("its prior is learned")
        if not is_standard_normal(code.prior):
            raise ValueError("its prior isn't N(0, I)")
        inferred = self.batched(self.model.posterior_at, self.data.x_test, self.data.y_test)
        q = code.q(inferred)
        return keras.ops.convert_to_numpy(q.mean), keras.ops.convert_to_numpy(q.log_var)

    @kept
    def kl_split(self, part):
        if self.model.fitted_prior is not None:  # the parts are those of the KL to N(0, I)
            raise ValueError("its prior was fitted afterwards")
        mean, log_var = map(part.take, self.posterior)
        return measures.kl_decomposition(mean, log_var, NUM_DRAWS, seed=self.seed)

    @kept
    def clusters(self, kind, part):
        """Return how well clusters agree with the labels, for "codes" or "whitened" codes."""
        codes, labels = getattr(self, f"test_{kind}"), self.data.labels("test")
        codes, labels = part.take(codes), part.take(labels)
        return measures.clustering_agreement(codes, labels, seed=self.seed)

    def beside_factors(self, part):
        """Return training codes and their factors, test codes and their factors: some of each."""
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
        """Return the principal axes of the training codes, as long as their standard deviations."""
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
        """Return the mixture of this many Gaussians that is fitted to the training codes."""
        codes = self.train_draws
        if num_components > 1 and codes.shape[1] > LARGEST_MIXTURE:
            raise ValueError(f"the mixture is fitted to at most {LARGEST_MIXTURE} dimensions")
        prior = FittedMixture(codes.shape[1], num_components, seed=self.seed)
        prior.fit(codes)
        return prior.distribution()

    @kept
    def codes_from(self, source):
        """Return as many codes as test examples, (n, latent_dim); those of the prior are the ones
        that `samples` decodes."""
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
        """Return the images decoded from as many codes of that source as test examples: the
        features of all, the first images and, from the prior, the images `data.compared`."""
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
        """Return the "reconstructions" of `data.compared`, or as many samples from the "prior"."""
        return self.reconstructed[1] if what == "reconstructions" else self.sampled(what)[2]

    @kept
    def preferences(self, what):
        """Return the preferences of `compared_images` for training images; a reconstruction is not
        compared with its own test image."""
        own = self.data.compared if what == "reconstructions" else None
        return self.data.preferences(self.compared_images(what), own)

    @kept
    def training_distances(self, what):
        return self.data.training_distances(self.compared_images(what))

    # Paths between the codes of pairs of test examples

    def ends(self, start, end):
        """Return the codes of both ends. As in its own `interpolate`, a conditional model gets the
        label of the start along the whole path."""
        if not self.model.condition_dim:
            return self.test_codes[start], self.test_codes[end]
        x, y = self.data.x_test[end], self.data.y_test[start]
        return self.test_codes[start], self.ask("encode", x, y)

    @kept
    def midpoint_features(self, method, between_classes):
        """Return the features of the images half-way on as many paths as there are pairs."""
        start, end = self.data.pairs(between_classes)
        middle = PATHS[method](*self.ends(start, end), 0.5)
        labels = None if self.data.y_test is None else self.data.y_test[start]
        return self.data.features_of(self.ask("decode", middle.astype("float32"), labels))

    @kept
    def path_features(self, method, between_classes):
        """Return the features of all images on some paths, (n, STEPS, features)."""
        pairs = self.data.pairs(between_classes)
        start, end = (i[spaced(len(i), NUM_PATHS)] for i in pairs)
        a, b = (codes[:, None] for codes in self.ends(start, end))
        codes = PATHS[method](a, b, np.linspace(0, 1, STEPS)[None, :, None])
        codes = codes.reshape(-1, self.model.latent_dim).astype("float32")
        labels = None if self.data.y_test is None else np.repeat(self.data.y_test[start], STEPS, 0)
        features = self.data.features_of(self.ask("decode", codes, labels))
        return features.reshape(len(start), STEPS, -1)


def squares(a, b):
    """Return the mean squared error of each example."""
    return np.square(flatten(a).astype("float64") - flatten(b)).mean(axis=1)
