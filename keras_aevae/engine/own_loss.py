"""The base class of Keras models that have their own loss: their training and compiled verbs."""

import functools

import keras
from keras import ops

from keras_aevae.engine import private, replicas
from keras_aevae.engine.executions import several_steps, steps_of_user
from keras_aevae.engine.fused_adam import fused_adam
from keras_aevae.engine.inference import compiled
from keras_aevae.engine.whole_steps import WholeSteps, give_back_state, whole_or_undone


class OwnLoss(private.BuildsFromOwnBatch, WholeSteps):
    """A Keras model that is compiled without a loss, since `compute_loss` is its own."""

    # What the loss is, and how to choose it instead of passing one.
    about_loss = ""

    def compile(self, optimizer="adam", loss=None, **kwargs):
        """Compile the model as Keras's `compile` does, but without a loss, which is the model's
        own. All arguments are optional."""
        if loss is not None:
            raise ValueError(f"{self.about_loss} Received: loss={loss!r}.")
        super().compile(optimizer=optimizer, **kwargs)
        self.forget_compiled()

    def forget_compiled(self):
        """Compile the verbs anew, since something that they depend on has changed."""
        self.__dict__.pop("_compiled", None)

    def compile_from_config(self, config):
        # Keras compiles a reloaded model only if its `compile` is Keras's own.
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    @functools.wraps(keras.Model.fit)
    def fit(self, x=None, y=None, **kwargs):
        with several_steps(self, x, kwargs) as settings:
            return super().fit(x, y, **settings)

    @functools.wraps(keras.Model.evaluate)
    def evaluate(self, *args, **kwargs):
        if private.called_by_fit(kwargs):  # `fit` made it for as many steps at once
            return super().evaluate(*args, **kwargs)
        with steps_of_user(self):
            return super().evaluate(*args, **kwargs)

    @functools.wraps(keras.Model.predict)
    def predict(self, *args, **kwargs):
        with steps_of_user(self):
            return super().predict(*args, **kwargs)

    def make_train_function(self, force=False):
        self.train_function = self.recorded("train", force)
        return self.train_function

    def make_test_function(self, force=False):
        self.test_function = self.recorded("test", force)
        return self.test_function

    def recorded(self, kind, force):
        """Return Keras's function of a "train" or "test" step. On TensorFlow it takes steps as a
        whole, with a fused Adam where there is no XLA. On PyTorch its operations are recorded,
        unless the step is the user's own or must run eagerly."""
        made = getattr(self, f"{kind}_function")
        if made is not None and not force:
            return made
        getattr(super(), f"make_{kind}_function")(force)
        made, step = getattr(self, f"{kind}_function"), f"{kind}_step"
        backend = keras.backend.backend()
        if backend == "tensorflow" and replicas.of_default_strategy(self.distribute_strategy):
            from keras_aevae.engine.tensorflow_steps import steps_function

            made = steps_function(self, getattr(self, step))
        if backend == "tensorflow" and kind == "train" and not self.jit_compile:
            return fused_adam(self.optimizer)(made)
        own = step in vars(self) or getattr(type(self), step) is not getattr(keras.Model, step)
        if backend != "torch":
            return made
        if self.run_eagerly or own:
            return whole_or_undone(self, made)
        from keras_aevae.engine.recorded import recorded_step

        return recorded_step(self, made, training=kind == "train")

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return replicas.logs_of_replica(super().compute_metrics(x, y, y_pred, sample_weight))

    def batch_to_build_from(self, iterator):
        """Return this worker's part of the first batch if TensorFlow has several workers: Keras
        would take the mean of the workers' parts, and fail."""
        if not replicas.of_tensorflow_workers(self.distribute_strategy):
            return None
        return replicas.local_batch(self.distribute_strategy, iterator)

    def call_compiled(self, method, *tensors, **settings):
        """Return `method(*tensors, **settings)` for one batch, compiled and without gradients.

        `method` is a method of the model that takes tensors; `settings` are compiled in.
        """
        give_back_state(self)  # a callback may ask while the model is trained
        known = self.__dict__.setdefault("_compiled", {})
        key = (method.__name__, *sorted(settings.items()))
        if key not in known:
            known[key] = compiled(self, functools.partial(method, **settings))
        return known[key](*tensors)


def weighted_mean(values, sample_weight=None):
    """Return the weighted mean of `values`, shape (batch,); 0 if all weights are 0."""
    if sample_weight is not None:
        sample_weight = ops.reshape(ops.cast(sample_weight, values.dtype), (-1,))
    return replicas.weighted_mean(values, sample_weight)
