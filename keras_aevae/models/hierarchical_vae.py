"""The hierarchical VAE, as a ladder.

Sønderby et al. 2016, Ladder Variational Autoencoders, https://arxiv.org/abs/1602.02282
"""

import keras

from keras_aevae.codes import HierarchicalCode
from keras_aevae.engine.numbers import Refused
from keras_aevae.models.vae import VAE

# The arguments of the code that are arguments of the model.
OWN = ("groups", "top_down", "hidden", "activation")


@keras.saving.register_keras_serializable(package="keras_aevae")
class HierarchicalVAE(VAE):
    """A VAE whose codes are groups, of which each depends on the groups above it.

        p(z) = p(z_1) prod_i p(z_i | z_1, ..., z_i-1)
        q(z|x) = q(z_1|x) prod_i q(z_i | x, z_1, ..., z_i-1)
        loss = -E_q(z|x)[log p(x|z)] + beta sum_i KL_i

    Group 1 is the top, and the prior is that of the top group. Below it, q merges what the encoder
    says of a group with p of that group, in proportion to their precisions. (The paper counts from
    the bottom; there a group depends on the next one alone, and the decoder takes the lowest.) The
    decoder takes all groups. Shown beside `kl` are its parts, `kl_1` (the top), `kl_2`, ...; of
    the lower groups they are estimated at the draws of the groups above. With one group it is the
    `VAE`, except that its free bits are those of the group, not of each dimension.

    Good for: likelihood, since neither p(z) nor q(z|x) need be independent over dimensions; coarse
    structure at the top and details below. Misleads when the number of groups is taken for the
    number of those in use: the upper ones collapse easily, with a `kl_1` near 0. Warm beta up
    (the authors take 200 epochs) or give free bits, and normalise the layers of deep networks. A
    few steps of such models have very large gradients; `keras_aevae.SkipLargeGradients` leaves them
    out (Child 2021, https://arxiv.org/abs/2011.10650).

    Args:
        groups, top_down, hidden, activation: as for `keras_aevae.codes.HierarchicalCode`:
            `groups` is the number of groups, by default 2, or their sizes from the top.
            `keras_aevae.networks.ladder` makes convolutional networks for them, `top_down`
            included.
        prior: p(z_1), as for `VAE`: fixed, learned, or fitted afterwards by `fit_prior`.
        free_bits: nats of each group that cost nothing, or None.
        other arguments: as for `VAE`, without `posterior`. `latent_dim` is that of all groups.

    `encode` gives the groups' means, each given the means above it, as one vector from the top.
    `sample` draws the groups from the top down.

    Example:

    ```python
    from keras_aevae import HierarchicalVAE, datasets, networks
    (x_train, _), (x_test, _) = datasets.load("digits")
    encoder, decoder = networks.mlp((8, 8, 1), latent_dim=12)
    vae = HierarchicalVAE(encoder, decoder, groups=(4, 8))
    vae.compile()
    vae.fit(x_train, epochs=2)
    vae.evaluate_terms(x_test)["kl_1"].shape  # (360,)
    ```
    """

    posterior = Refused("its codes are groups, which `groups` and `top_down` describe")

    def __init__(
        self,
        *args,
        groups=2,
        top_down=(),
        hidden=None,
        activation="relu",
        posterior=None,
        **kwargs,
    ):
        self.posterior = posterior
        code = HierarchicalCode(groups, top_down, hidden, activation)
        super().__init__(*args, posterior=code, **kwargs)

    def get_config(self):
        config = super().get_config()
        del config["posterior"]  # the class and its own arguments determine it
        code = self.code.get_config()
        return {**config, **{name: code[name] for name in OWN}}
