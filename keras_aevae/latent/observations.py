"""What a model makes of data: each pass through it once, when a measure first asks for it."""

import dataclasses
import functools

import keras
import numpy as np

from keras_aevae.distributions import StandardNormal
from keras_aevae.latent import measures
from keras_aevae.latent.data import flatten, spaced
from keras_aevae.latent.measures.training_preference import preferences
from keras_aevae.models.paths import PATHS

COMPONENTS = 10
LARGEST_MIXTURE = 128  # latent dimensions; its covariances have their square
STEPS = 9  # points on a path, both ends included
NUM_PATHS = 200
NUM_JACOBIANS = 200
NUM_DRAWS = 500  # from the aggregate posterior, for the KL's split
BATCH_SIZE = 512


@dataclasses.dataclass(frozen=True)
class Part:
    """One of `of` parts of the test data; all of them by default."""

    number: int = 0
    of: int = 1

    def take(self, array):
        """This part of an array that is in the order of the test data, or evenly spaced over it."""
        n = len(array)
        return array[n * self.number // self.of : n * (self.number + 1) // self.of]


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

    @property
    def minus_elbo(self):
        return self.term("test", "reconstruction") + self.term("test", "kl")

    @functools.cached_property
    def log_likelihoods(self):
        """Of the test examples `data.few`."""
        self.check_density()
        i, y = self.data.few, self.data.y_test
        labels = None if y is None else y[i]
        return self.ask("log_likelihood", self.data.x_test[i], labels, num_samples=self.num_samples)

    def check_density(self):
        if not self.model.family.has_density:
            raise ValueError("its codes are points, which have no density")

    @functools.cached_property
    def reconstructions(self):
        return self.test("reconstruct")

    @functools.cached_property
    def test_squares(self):
        return squares(self.reconstructions, self.data.x_test)

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
        names = ("reconstruction", "kl") if by == "elbo" else ("reconstruction",)
        return [sum(self.term(which, n) for n in names) for which in ("test", "anomalies")]

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
        return self.train("encode", sample=True)

    @functools.cached_property
    def test_draws(self):
        return self.test("encode", sample=True)

    @functools.cached_property
    def posterior(self):
        """Mean and logarithm of the variance, (n, latent_dim) each."""
        self.check_density()
        inputs = self.data.x_test
        if self.model.condition_dim:
            inputs = self.model.check_inputs(inputs, self.data.y_test)
        found = self.model.run(self.model._infer, inputs, batch_size=BATCH_SIZE, verbose=0)
        return found["z_mean"], found["z_log_var"]

    @kept
    def kl_split(self, part):
        mean, log_var = self.posterior
        if not isinstance(self.model.prior, StandardNormal):
            raise ValueError("its prior is learned")
        return measures.kl_decomposition(
            part.take(mean), part.take(log_var), NUM_DRAWS, seed=self.seed
        )

    @functools.cached_property
    def axes(self):
        """Principal axes of the training codes, each as long as their standard deviation there."""
        codes = np.asarray(self.train_codes, "float64")
        values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(codes, rowvar=False)))
        used = values > 1e-7 * values[-1]
        return (vectors * np.sqrt(np.maximum(values, 0))).T[used][::-1]

    @functools.cached_property
    def jacobians(self):
        chosen = spaced(len(self.test_codes), NUM_JACOBIANS)
        return measures.decoder_jacobian_spectrum(
            self.model, self.test_codes[chosen], basis=self.axes
        )

    # Samples

    @functools.cached_property
    def mixture(self):
        from sklearn.mixture import GaussianMixture

        codes = np.asarray(self.train_draws, "float64")
        if codes.shape[1] > LARGEST_MIXTURE:
            raise ValueError(f"the mixture is fitted to at most {LARGEST_MIXTURE} dimensions")
        if len(codes) < 2 * COMPONENTS:
            raise ValueError(f"the mixture wants {2 * COMPONENTS} codes or more")
        return GaussianMixture(COMPONENTS, random_state=self.seed).fit(codes)

    @kept
    def codes_from(self, source):
        """As many codes as test examples, (n, latent_dim); of the prior the very ones that
        `samples` decodes."""
        count = len(self.data.x_test)
        if source == "encodings":
            return self.test_draws
        if source == "mixture":
            codes = self.mixture.sample(count)[0]
            return np.random.default_rng(self.seed).permutation(codes).astype("float32")
        if source == "gaussian":
            codes = np.asarray(self.train_draws, "float64")
            covariance = np.atleast_2d(np.cov(codes, rowvar=False))
            draw = np.random.default_rng(self.seed).multivariate_normal
            return draw(codes.mean(axis=0), covariance, count, method="eigh").astype("float32")
        if hasattr(self.model, "quantizer"):
            raise ValueError("codes of a codebook have no prior of vectors")
        return keras.ops.convert_to_numpy(self.model.prior.sample((count,), seed=self.seed))

    @kept
    def samples(self, source):
        """As many images as test examples, decoded from codes of that source."""
        n = len(self.data.x_test)
        if source == "prior":
            settings = {"condition": self.data.y_test} if self.model.condition_dim else {}
            return self.model.sample(n, seed=self.seed, batch_size=BATCH_SIZE, **settings)
        return self.ask("decode", self.codes_from(source), self.data.y_test)

    @kept
    def sample_features(self, source):
        return self.data.features_of(self.samples(source))

    @kept
    def precision_recall(self, source, part):
        real, fake = part.take(self.data.test_features), part.take(self.sample_features(source))
        return measures.precision_recall(real, fake)

    @kept
    def preferences(self, source):
        """For training images, of `data.few` of the samples, or of the "reconstructions"."""
        remade = source == "reconstructions"
        images = self.reconstructions if remade else self.samples(source)
        few, real = self.data.few, self.data.test_images
        return preferences(images[few], self.data.train_images, real, few if remade else None)

    # Paths between the codes of pairs of test examples

    @kept
    def midpoint_features(self, method, different):
        """Of the images half-way on as many paths as there are pairs."""
        start, end = self.data.pairs(different)
        middle = PATHS[method](self.test_codes[start], self.test_codes[end], 0.5)
        labels = None if self.data.y_test is None else self.data.y_test[start]
        return self.data.features_of(self.ask("decode", middle.astype("float32"), labels))

    @kept
    def path_features(self, different):
        """Of all images on some straight paths, (n, STEPS, features)."""
        start, end = (i[:NUM_PATHS] for i in self.data.pairs(different))
        a, b = self.test_codes[start, None], self.test_codes[end, None]
        codes = PATHS["linear"](a, b, np.linspace(0, 1, STEPS)[None, :, None])
        codes = codes.reshape(-1, self.model.latent_dim).astype("float32")
        labels = None if self.data.y_test is None else np.repeat(self.data.y_test[start], STEPS, 0)
        features = self.data.features_of(self.ask("decode", codes, labels))
        return features.reshape(len(start), STEPS, -1)


def squares(a, b):
    """Mean squared error of each example."""
    return np.square(flatten(a).astype("float64") - flatten(b)).mean(axis=1)
