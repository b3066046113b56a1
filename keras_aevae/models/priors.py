"""Priors that are fitted afterwards to the codes of a trained model.

Ghosh et al. 2020, From Variational to Deterministic Autoencoders, https://arxiv.org/abs/1903.12436
"""


class FitsPriors:
    """A mixin of the models with `fit_prior` and `set_prior`."""

    def fit_prior(
        self,
        x,
        prior=None,
        *,
        condition=None,
        batch_size=128,
        steps=None,
        verbose=0,
        fit=None,
        **settings,
    ):
        """Fit p(z) to the codes of `x`, for `sample`, `elbo` and `log_likelihood` to use.

        Training still uses the model's own prior; call `fit_prior` again after more training. The
        fitted prior is saved with the model, by `model.save` and `save_to_preset`. A file of
        weights alone can't say which prior it is: `load_weights` needs a model that has one of the
        same kind (`set_prior`). Ghosh et al. 2020, https://arxiv.org/abs/1903.12436.

        Good for: samples of a model whose codes aren't like its prior. Misleads as a better model:
        the codes are the same, and a prior that is fitted too closely to few codes decodes to the
        training data.

        Args:
            x: data, shape (n, *data_shape), or a dataset of batches of it.
            prior: "gaussian", with a full covariance; "gaussian_mixture"; "real_nvp", a normalizing
                flow; for a codebook "autoregressive"; on a sphere "von_mises_fisher" or
                "von_mises_fisher_mixture"; or a prior that has a `fit`, such as a
                `keras_aevae.distributions.FittedMixture` or a compiled `AutoregressivePrior`. By
                default the first of these that is one of the model's codes.
            condition: the condition of each x, for a conditional model.
            batch_size: number of examples per batch, in encoding.
            steps: number of batches to read, by default all: needed for data without an end.
            verbose: 1 for a progress bar.
            fit: a dict of arguments of the prior's own training that mean something else here:
                `{"batch_size": 64}`, by default 32, or `{"verbose": 2}`.
            settings: those of the prior of that name, and its training's. "gaussian": `seed`; a
                mixture: `num_components`, `seed`; "autoregressive" and "real_nvp": the arguments of
                an `AutoregressivePrior` (`width`, `depth`, ..., `seed`) or a `FittedRealNVP`
                (`num_steps`, `hidden`, `seed`), the `optimizer` (by default "adam"), and those of
                Keras's `fit`, such as `epochs` (by default 10) and `callbacks`. Of a prior that is
                an object, the arguments of its `fit`.

        Raises:
            ValueError: if the prior doesn't fit the codes or has no such setting.

        Example:

        ```python
        from keras_aevae import Autoencoder, datasets, networks
        (x_train, _), _ = datasets.load("digits")
        ae = Autoencoder(*networks.mlp((8, 8, 1), latent_dim=4))
        ae.compile()
        ae.fit(x_train, epochs=2)
        ae.fit_prior(x_train, "gaussian_mixture", num_components=5, seed=0)
        images = ae.sample(4)
        ```
        """
        prior, settings = self.code.fittable(prior, joined(settings, fit))
        inputs = self.check_inputs(x, condition, steps=steps)
        reading = {"batch_size": batch_size, "steps": steps, "verbose": verbose}
        roots = self.run(self._roots, inputs, **reading)
        prior.fit(roots, **{"verbose": verbose, **settings})
        self.set_prior(prior)

    def _roots(self, inputs):
        return self.code.root(self.draw(self.infer(inputs, training=False), 1))

    def set_prior(self, prior):
        """Use a prior that is already fitted; None restores the model's own prior.

        The model keeps a copy and doesn't train it.
        """
        fitted = self.code.fitted
        fitted.clear()
        if prior is not None:
            self.code.check_fitted(prior)
            # Of a prior that was made untrainable, the layers in it would stay trainable on
            # TensorFlow, where an assignment that changes nothing is dropped.
            copy = type(prior).from_config({**prior.get_config(), "trainable": True})
            copy.set_weights(prior.get_weights())
            copy.trainable = False
            fitted.append(copy)
        self.forget_compiled()


def joined(settings, fit):
    """Return the arguments `fit` of a prior's training beside the `settings`."""
    if not isinstance(fit or {}, dict) or set(fit or {}) & set(settings):
        raise ValueError(
            "`fit` must be a dict of arguments of the prior's training, such as "
            f"{{'batch_size': 64}}, that aren't given beside it. Received: fit={fit!r}, "
            f"{', '.join(settings) or 'nothing'} beside it."
        )
    return {**settings, **(fit or {})}
