"""The reparameterisation as a layer."""

import keras
from keras import ops

from keras_aevae._checks import check_seed
from keras_aevae.distributions.posteriors import POSTERIORS, get_posterior
from keras_aevae.engine import replicas


@keras.saving.register_keras_serializable(package="keras_aevae")
class Sampling(keras.layers.Layer):
    """Draws z from the distribution with the given parameters, with gradients through them.

    For the diagonal Gaussian, `z = z_mean + exp(z_log_var / 2) * noise` with noise from N(0, I):
    Kingma & Welling 2014, section 2.4, https://arxiv.org/abs/1312.6114. The noise is drawn and
    scaled in float32 whatever the dtype policy, and z is cast to the policy's compute dtype.
    It also samples in inference: use the mean itself if you want no noise.

    Args:
        distribution: name of the posterior family, such as "diagonal_gaussian"; or a family of your
            own, a subclass of `keras_aevae.distributions.Distribution`. A layer of the latter has
            no config; a `keras_aevae.codes.ReparameterizedCode`, which contains one, has.
        seed: integer, or None for a random one (which `keras.utils.set_random_seed` fixes). The
            torch backend adds a counter to it, so neighbouring seeds overlap there: keep the seeds
            of different layers far apart.

    Call arguments:
        parameters: the family's parameters, a list of tensors of shape (batch, latent_dim), in
            the order of the family's constructor: `[z_mean, z_log_var]`.
        num_samples: number of draws for each example; None for one, without an axis of draws.

    Returns:
        z, shape (batch, latent_dim), or (batch, num_samples, latent_dim).

    Example:

    ```python
    import keras
    from keras_aevae.layers import Sampling
    features = keras.Input((8,))
    z_mean = keras.layers.Dense(2)(features)
    z_log_var = keras.layers.Dense(2)(features)
    z = Sampling(seed=1)([z_mean, z_log_var])
    encoder = keras.Model(features, [z_mean, z_log_var, z])
    ```
    """

    def __init__(self, distribution="diagonal_gaussian", seed=None, **kwargs):
        # No autocast: the log-variance keeps its 32 bits up to the exp.
        super().__init__(autocast=False, **kwargs)
        self.family = get_posterior(distribution)
        self.distribution = {family: name for name, family in POSTERIORS.items()}.get(self.family)
        self.seed = None if seed is None else check_seed(seed)
        self.seed_generator = replicas.SeedGenerator(self.seed)
        self.built = True

    def call(self, parameters, num_samples=None):
        self.check_parameters(parameters)
        draws = () if num_samples is None else (num_samples,)
        z = self.family(*parameters).sample(draws, seed=self.seed_generator)
        if draws:
            z = ops.moveaxis(z, 0, 1)
        return ops.cast(z, self.compute_dtype)

    def check_parameters(self, parameters):
        # A single tensor has a length too: it must not be taken for the list.
        is_list = isinstance(parameters, (list, tuple))
        if not is_list or len(parameters) != len(self.family.parameters):
            received = f"{len(parameters)} tensors" if is_list else "no list"
            raise ValueError(
                f"Sampling({self.distribution or self.family.__name__!r}) takes a list of tensors: "
                f"[{', '.join(self.family.parameters)}]. Received: {received}."
            )

    def compute_output_spec(self, parameters, num_samples=None):
        self.check_parameters(parameters)
        shape = self.compute_output_shape([p.shape for p in parameters], num_samples)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def compute_output_shape(self, parameters_shape, num_samples=None):
        batch, *event = parameters_shape[0]
        return (batch, *event) if num_samples is None else (batch, num_samples, *event)

    def get_config(self):
        if self.distribution is None:
            raise ValueError(
                "Only a Sampling of a family with a name has a config: "
                f"{', '.join(map(repr, POSTERIORS))}. Received: one of {self.family.__name__}. Use "
                "a keras_aevae.codes.ReparameterizedCode of that family."
            )
        return {**super().get_config(), "distribution": self.distribution, "seed": self.seed}
