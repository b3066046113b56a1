"""The base class of Keras models that have their own loss: their training and compiled verbs."""

import functools

import keras
from keras import ops

from keras_aevae.engine import private, replicas
from keras_aevae.engine.executions import several_steps, steps_of_user
from keras_aevae.engine.fused_adam import fused_adam
from keras_aevae.engine.inference import compiled, first_of, is_array
from keras_aevae.engine.optimizer_state import restoring
from keras_aevae.engine.whole_steps import (
    WholeSteps,
    finalized_if_finished,
    give_back_state,
    whole_or_undone,
    whole_steps,
)


def scoped(method):
    """Return Keras's `method` of a model, in its own scope: a callback may call it in `fit`."""

    @functools.wraps(method)
    def in_scope(model, *args, **kwargs):
        with whole_steps(model), steps_of_user(model):
            return method(model, *args, **kwargs)

    return in_scope


def unconverted(method):
    """Return `method` of a model, which AutoGraph leaves as it is, also within a `tf.function` of a
    user's own. It can't convert all of Python, and would warn of what it can't."""
    if keras.backend.backend() != "tensorflow":
        return method
    import tensorflow as tf

    return tf.autograph.experimental.do_not_convert(method)


class OwnLoss(private.BuildsFromOwnBatch, WholeSteps):
    """A Keras model that is compiled without a loss, since `compute_loss` is its own."""

    # What the loss is, and how to choose it instead of passing one.
    about_loss = ""

    def compile(self, optimizer="adam", loss=None, **kwargs):
        """Compile the model as Keras's `compile` does, but without a loss, which is the model's
        own. All arguments are optional."""
        if loss is not None:
            raise ValueError(f"{self.about_loss} Received: loss={loss!r}.")
        if kwargs.get("loss_weights") is not None:
            raise ValueError(
                "`loss_weights` are for losses that are given to `compile`; the terms of this "
                "model's loss have weights of its own, such as `beta`. Received: "
                f"loss_weights={kwargs['loss_weights']!r}."
            )
        super().compile(optimizer=optimizer, **kwargs)
        self.jit_compile_given = kwargs.get("jit_compile", "auto")
        self.forget_compiled()

    def layers_beside(self, name):
        """Return the layers that are trained and frozen together with the network `name`."""
        return []

    def freeze_beside(self):
        """Freeze the layers beside each network that is frozen, and thaw them with it again."""

    def check_compiled(self, method):
        """Raise an error unless the model is compiled."""
        if not self.compiled:
            raise ValueError(
                f"`{method}` needs a compiled model: call `model.compile()` first, which needs no "
                "arguments. A model that was just made, or loaded from a preset, isn't compiled. "
                f"Received: a {type(self).__name__} that isn't compiled."
            )

    def forget_compiled(self):
        """Compile the verbs anew, since something that they depend on has changed."""
        self.__dict__.pop("_compiled", None)

    def get_compile_config(self):
        config = super().get_compile_config()
        if not self.compiled or config is None:
            return config
        # Of `jit_compile` Keras writes what this backend has made of "auto".
        own = {"jit_compile": self.jit_compile_given, "optimizer_built": self.optimizer.built}
        return {**config, **own}

    def compile_from_config(self, config):
        # Keras compiles a reloaded model only if its `compile` is Keras's own.
        built = config.get("optimizer_built", True)
        config = {name: value for name, value in config.items() if name != "optimizer_built"}
        self.compile(**keras.saving.deserialize_keras_object(private.of_any_backend(config)))
        if built:  # else the file has no state for it
            self.optimizer.build(self.trainable_variables)

    @functools.wraps(keras.Model.save)
    def save(self, filepath, *args, **kwargs):
        if str(filepath).endswith((".h5", ".hdf5")):
            raise ValueError(
                "`filepath` must end with '.keras': Keras couldn't load this model from its old "
                f"format. Received: filepath={str(filepath)!r}. For the weights alone call "
                "save_weights('model.weights.h5')."
            )
        return super().save(filepath, *args, **kwargs)

    def load_weights(self, filepath, **kwargs):
        """Load weights as Keras's `load_weights` does, and the state of the optimizer, if the file
        has it and the model is compiled."""
        with restoring(self, filepath):
            super().load_weights(filepath, **kwargs)

    @functools.wraps(keras.Model.fit)
    def fit(self, x=None, y=None, **kwargs):
        self.check_compiled("fit")
        finalized = finalized_if_finished(self.optimizer)
        if not is_shuffled_by_keras(x):  # which it says even where nobody asked for it
            kwargs.setdefault("shuffle", False)
        if keras.backend.backend() == "tensorflow":
            from keras_aevae.engine.tensorflow_data import batches_of_arrays

            x, y, kwargs = batches_of_arrays(x, y, kwargs)
        with several_steps(self, x, kwargs) as settings, whole_steps(self), finalized:
            return super().fit(x, y, **settings)

    @functools.wraps(keras.Model.evaluate)
    def evaluate(self, *args, **kwargs):
        if private.called_by_fit(kwargs):  # its data were made for as many steps as those of `fit`
            return super().evaluate(*args, **kwargs)
        self.check_compiled("evaluate")
        return scoped(keras.Model.evaluate)(self, *args, **kwargs)

    predict = scoped(keras.Model.predict)
    train_on_batch = scoped(keras.Model.train_on_batch)
    test_on_batch = scoped(keras.Model.test_on_batch)
    predict_on_batch = scoped(keras.Model.predict_on_batch)

    def make_train_function(self, force=False):
        if self.train_function is None or force:
            super().make_train_function(force)
            self.train_function = fast(self, self.train_function, "train_step")
        return self.train_function

    def make_test_function(self, force=False):
        if self.test_function is None or force:
            super().make_test_function(force)
            self.test_function = fast(self, self.test_function, "test_step")
        return self.test_function

    def make_predict_function(self, force=False):
        if self.predict_function is None or force:
            super().make_predict_function(force)
            if keras.backend.backend() == "tensorflow" and not self.run_eagerly:
                from keras_aevae.engine.tensorflow_steps import traced_apart

                self.predict_function = traced_apart(self.predict_function.python_function)
        return self.predict_function

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


def fast(model, made, name):
    """Return the function that Keras made of a step of `model`, its `train_step` or `test_step`, or
    a faster one that does the same, and takes each step as a whole."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return fast_on_tensorflow(model, made, name)
    if backend == "torch":
        return fast_on_torch(model, made, name)
    return made


def fast_on_tensorflow(model, made, name):
    """Return a function of several steps, with a fused Adam where there is no XLA."""
    if replicas.of_default_strategy(model.distribute_strategy):
        from keras_aevae.engine.tensorflow_steps import steps_function

        made = steps_function(model, getattr(model, name), training=name == "train_step")
    if name == "train_step" and not model.jit_compile:
        return fused_adam(model.optimizer)(made)
    return made


def fast_on_torch(model, made, name):
    """Return a function that replays the step's operations, unless the step is the user's own or
    must run eagerly."""
    own = name in vars(model) or getattr(type(model), name) is not getattr(keras.Model, name)
    if model.run_eagerly or own:
        return whole_or_undone(model, made)
    from keras_aevae.engine.recorded import recorded_step

    return recorded_step(model, made, training=name == "train_step")


def is_shuffled_by_keras(x):
    """Return whether Keras's `fit` can shuffle the data `x`: arrays, or a dataset of known
    length whose batches have places."""
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches is not None
    return is_array(first_of(x))


def weighted_mean(values, sample_weight=None):
    """Return the weighted mean of `values`, shape (batch,); 0 if all weights are 0."""
    if sample_weight is not None:
        sample_weight = ops.reshape(ops.cast(sample_weight, values.dtype), (-1,))
    return replicas.weighted_mean(values, sample_weight)
