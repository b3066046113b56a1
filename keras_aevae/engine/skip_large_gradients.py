"""An optimizer that leaves out the steps whose gradients are too large."""

import keras
from keras import ops

from keras_aevae._checks import check_number


@keras.saving.register_keras_serializable(package="keras_aevae")
class SkipLargeGradients(keras.optimizers.Optimizer):
    """Another optimizer, whose step is left out where the gradient is larger than a norm.

    A step in which the norm of all gradients together is above `max_norm`, or isn't finite, changes
    no weight and no state of the optimizer: no moment, no count of steps.

    Child 2021, Very Deep VAEs Generalize Autoregressive Models and Can Outperform Them on Images,
    https://arxiv.org/abs/2011.10650.

    Good for: deep hierarchical VAEs, in which a few batches have gradients that are orders of
    magnitude larger than all others. Misleads if `max_norm` is near the usual norms: much of the
    data is then never learned from. Look at `skipped`, the number of steps left out, which should
    stay a tiny share of all. Clipping (`global_clipnorm`) still takes a step in the direction of
    such a gradient; this optimizer takes none.

    Args:
        optimizer: a Keras optimizer that no model has used yet.
        max_norm: the largest norm of the gradients, a number above 0.
        name: name of the optimizer.

    Raises:
        ValueError: where several replicas of a `tf.distribute` strategy would each decide for
            themselves.

    Example:

    ```python
    from keras.optimizers import Adam
    from keras_aevae import HierarchicalVAE, SkipLargeGradients, datasets, networks
    (x_train, _), _ = datasets.load("digits")
    vae = HierarchicalVAE(*networks.mlp((8, 8, 1), latent_dim=8))
    vae.compile(SkipLargeGradients(Adam(1e-3), max_norm=200.0))
    vae.fit(x_train, epochs=2)
    share = float(vae.optimizer.skipped.numpy()) / int(vae.step.numpy())
    ```
    """

    def __init__(self, optimizer, max_norm, name="skip_large_gradients"):
        if not isinstance(optimizer, keras.optimizers.Optimizer) or optimizer.built:
            raise ValueError(
                "`optimizer` must be a Keras optimizer that no model has used yet, such as "
                f"keras.optimizers.Adam(1e-3). Received: optimizer={optimizer!r}."
            )
        scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        if scales or optimizer.loss_scale_factor is not None:
            raise ValueError(
                "`optimizer` must not scale the loss, whose gradients would be compared with "
                f"`max_norm`. Received: a {type(optimizer).__name__} that does. Put the scaling "
                "outside: LossScaleOptimizer(SkipLargeGradients(...)), which Keras does by itself "
                "under 'mixed_float16'."
            )
        super().__init__(learning_rate=0.0, name=name)
        self.optimizer = optimizer
        self.max_norm = check_number("max_norm", max_norm, minimum=0, exclusive=True)

    def build(self, variables):
        if self.built:
            return
        self.optimizer.build(variables)
        self.skipped = self.add_variable(
            shape=(), dtype="int32", initializer="zeros", name="skipped"
        )
        super().build(variables)

    @property
    def optimizers(self):
        """The optimizers that make the steps, as of a `keras.optimizers.MultiOptimizer`."""
        return getattr(self.optimizer, "optimizers", [self.optimizer])

    @property
    def variables(self):
        return [*super().variables, *self.optimizer.variables]

    @property
    def iterations(self):
        """The number of steps that were made, without those left out."""
        return self.optimizer.iterations

    @property
    def learning_rate(self):
        return self.optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        self.optimizer.learning_rate = learning_rate

    def apply(self, grads, trainable_variables):
        check_one_replica()
        if not self.built:
            self.build(trainable_variables)
        small = self.are_small(grads)
        state = [*trainable_variables, *self.optimizer.variables]
        before = [ops.copy(v.value) for v in state]
        self.optimizer.apply(grads, trainable_variables)
        for variable, value in zip(state, before):
            variable.assign(ops.where(small, variable.value, value))
        self.skipped.assign_add(1 - ops.cast(small, "int32"))

    def stateless_apply(self, optimizer_variables, grads, trainable_variables):
        small, own = self.are_small(grads), len(super().variables)
        # A LossScaleOptimizer around this one gives variables, which have their values only here.
        optimizer_variables = [ops.convert_to_tensor(v) for v in optimizer_variables]
        mine, theirs = optimizer_variables[:own], optimizer_variables[own:]
        new = self.optimizer.stateless_apply(theirs, grads, trainable_variables)
        trained, state = [
            [ops.where(small, value, before) for value, before in zip(*values)]
            for values in zip(new, (trainable_variables, theirs))
        ]
        skipped = 1 - ops.cast(small, "int32")
        mine = [m + skipped if v is self.skipped else m for m, v in zip(mine, super().variables)]
        return trained, [*mine, *state]

    def are_small(self, grads):
        """Return whether the norm of all gradients together is at most `max_norm`; of NaN it
        isn't."""
        squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in grads if g is not None]
        return ops.sqrt(sum(squares)) <= self.max_norm

    def finalize_variable_values(self, var_list):
        self.optimizer.finalize_variable_values(var_list)

    def get_config(self):
        return {
            "name": self.name,
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "max_norm": self.max_norm,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        optimizer = keras.saving.deserialize_keras_object(config["optimizer"], custom_objects)
        return cls(**{**config, "optimizer": optimizer})


def check_one_replica():
    """Raise an error if a strategy of TensorFlow has several replicas."""
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    if tf.distribute.has_strategy() and tf.distribute.get_strategy().num_replicas_in_sync > 1:
        raise ValueError(
            "SkipLargeGradients can't be used with several replicas of a `tf.distribute` strategy, "
            "which sums the gradients only when a step is made. Received: "
            f"{tf.distribute.get_strategy().num_replicas_in_sync} replicas. Use `global_clipnorm`."
        )
