"""The training of every model: its loss, and the checks of its terms."""

import contextlib
import functools
import inspect
import math
import warnings

import keras
from keras import ops

from keras_aevae._checks import check_positive_integer, nearest
from keras_aevae.codes.base import draws_first
from keras_aevae.engine import private, replicas
from keras_aevae.engine.batches import (
    Batches,
    batches_of_sparse,
    check_end,
    dense_batches,
    for_keras,
    has_sparse,
    is_dataset,
    raise_own_error,
)
from keras_aevae.engine.gradients import after_forward
from keras_aevae.engine.inference import some_examples
from keras_aevae.engine.monitors import set_modes
from keras_aevae.engine.numbers import HasNumbers
from keras_aevae.engine.own_loss import OwnLoss, unconverted, weighted_mean
from keras_aevae.layers.condition import is_unknown
from keras_aevae.layers.past import check_causal


class Training(HasNumbers, OwnLoss):
    """The base of a model that defines `terms`, `batch_terms` and `coefficients`."""

    about_loss = (
        "The loss is the model's own: choose it by `likelihood=` in the constructor, such as "
        "likelihood='mse' or 'binary_crossentropy'."
    )

    # Whether the terms are computed for a training step: how to call a network within `terms`.
    in_training = False

    def example_terms(self, x, outputs):
        """Return `terms`, with NaN for examples whose label the model doesn't know."""
        terms = self.terms(x, outputs)
        if self.condition is None:
            return terms
        unknown = is_unknown(outputs["condition"])
        return {name: ops.where(unknown, math.nan, term) for name, term in terms.items()}

    @unconverted
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the scalar loss. Only here are terms weighted, reduced and tracked.

        Keras's own `train_step` on each backend calls it. So the terms of any subclass, such as the
        VAE's KL, are trained in the same way on TensorFlow, JAX and PyTorch.
        """
        target = ops.convert_to_tensor(self.unpack(x)[0] if y is None else y)
        outputs = self.with_one_draw(y_pred)
        if training:
            self.likelihood.calibrate(target, draws_first(outputs, "decoder_output"))
        self.in_training = bool(training)
        try:
            terms = self.example_terms(target, outputs)
            of_batch = self.batch_terms(target, outputs)
        finally:
            self.in_training = False
        self.track(terms, of_batch, sample_weight)
        weights = self.coefficients()
        examples = [weights[name] * term for name, term in terms.items() if name in weights]
        batch = [weights[name] * term for name, term in of_batch.items() if name in weights]
        if training:
            self.step.assign_add(1)
        loss = weighted_mean(sum(examples), sample_weight) + sum(batch) + sum(self.losses)
        return after_forward(replicas.part_of_loss(loss))

    def track(self, terms, of_batch, sample_weight):
        """Update the shown means of the terms: over examples, or over batches by their sizes."""
        size = ops.shape(next(iter(terms.values())))[0]
        for tracker in self.trackers:
            if tracker.name in terms:
                tracker.update_state(terms[tracker.name], sample_weight=sample_weight)
            else:
                tracker.update_state(of_batch[tracker.name], sample_weight=size)

    @property
    def term_names(self):
        """Names of a compiled model's terms, in the order in which they are shown."""
        return tuple(tracker.name for tracker in self.trackers)

    def mode_of(self, name):
        """Return whether less of the term `name` is better, "min", or more, "max"; of what isn't a
        term "auto". Terms that the loss subtracts are better if they are larger."""
        if name not in self.term_names:
            return "auto"
        weight = self.coefficients().get(name, 1.0)
        return "max" if float(ops.convert_to_numpy(weight)) < 0 else "min"

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        # Metrics given to `compile` compare the target with the reconstruction.
        target = self.unpack(x)[0] if y is None else y
        return super().compute_metrics(x, target, y_pred["reconstruction"], sample_weight)

    def compile(self, *args, **kwargs):
        self.trackers.clear()
        self.track_terms()
        self.freeze_beside()
        super().compile(*args, **kwargs)

    def track_terms(self):
        """Make a tracker for each term, and keep those that are there already."""
        names = names_of(self)
        check_weights(self.coefficients(), names)
        known = {tracker.name: tracker for tracker in self.trackers}
        if list(names) != list(known):
            self.trackers.clear()
            self.trackers.extend(known.get(n) or keras.metrics.Mean(name=n) for n in names)

    def retrace(self):
        if self.compiled:
            self.track_terms()
        super().retrace()

    def layers_beside(self, name):
        return self.code.encoding_parts() if name == "encoder" else []

    def freeze_beside(self):
        """Freeze the layers that encode beside a frozen encoder, and thaw them with it again."""
        for i, part in enumerate(self.layers_beside("encoder")):
            if not self.encoder.trainable and part.trainable:
                part.trainable = False
                self.frozen_with_encoder.add(i)
            elif self.encoder.trainable and i in self.frozen_with_encoder:
                part.trainable = True
                self.frozen_with_encoder.remove(i)

    def fit(self, x=None, y=None, **kwargs):
        """Train the model as Keras's `fit` does; the data are checked first.

        `x` is an array (of NumPy, of a framework, a list, a DataFrame of numbers, a sparse matrix,
        of which batches are made dense), or a dataset of batches x, (x,), (x, y) or (x, y,
        sample_weight). Batches of loaders and generators are checked when they are read. `y` is a
        target to reconstruct in place of `x` (denoising), not a label; a conditional model takes
        the pair (x, condition) in the place of x and, of datasets, batches (x, condition), too. A
        decoder that sees x takes no `y`. All other arguments go by keyword.
        """
        if called_by_sklearn():
            raise TypeError(NO_SKLEARN)
        check_class_weight(kwargs.get("class_weight"))
        steps = kwargs.get("steps_per_epoch") or keras.config.max_steps_per_epoch()
        check_end(x, "steps_per_epoch", steps)
        x, y, kwargs["sample_weight"] = self.check_fit(x, y, kwargs.get("sample_weight"))
        names = [metric.name for metric in self.metrics]
        # The names of metrics that were given to `compile` aren't known yet.
        own = [] if "compile_metrics" in names else names
        set_modes(kwargs.get("callbacks"), self.mode_of, own)
        if kwargs.get("batch_size") is not None:
            check_positive_integer("batch_size", kwargs["batch_size"])
        if kwargs.get("validation_split") and is_dataset(x):
            raise ValueError(
                "`validation_split` takes a part of arrays. Received: validation_split="
                f"{kwargs['validation_split']!r}, and a dataset or generator. Divide it yourself, "
                "and give `validation_data`."
            )
        validation = kwargs.get("validation_data")
        if validation is not None:
            steps = kwargs.get("validation_steps") or keras.config.max_steps_per_epoch()
            check_end(validation, "validation_steps", steps)
            kwargs["validation_data"] = self.check_validation(validation)
        if not int(self.step.numpy()):
            x = self.before_first_step(x)
        if isinstance(x, Batches) and kwargs.get("shuffle"):
            warnings.warn(
                "`shuffle=True` was passed, but batches come in the order in which `x` gives them. "
                "Shuffle the dataset itself.",
                stacklevel=2,
            )
        x, y, kwargs = batches_of_sparse(x, y, kwargs, shuffle=True)
        with own_errors(x, kwargs.get("validation_data")):
            return super().fit(x, y, **kwargs)

    def before_first_step(self, x):
        """Check that the decoder is causal, and start weights from data, before the first training
        step. Return all of the data `x`, including the examples that were taken from it."""
        if self.past is not None:
            params_given = functools.partial(self.call_compiled, self._params_given)
            check_causal(params_given, self.example_shape)
        if self.start_size:
            once = isinstance(x, Batches) and x.once
            first, x = some_examples(x, self.start_size, once)
            self.start_from(replicas.of_first_process(first))
        return x

    def _params_given(self, x):
        """Return the likelihood's parameters at a fixed z, for a decoder that sees x."""
        n = ops.shape(x)[0]
        condition = None if self.condition is None else ops.zeros((n, self.condition_dim))
        z = ops.ones((n, self.latent_dim))
        return self.params_at(z, self.side_inputs(x, condition), training=False)

    def evaluate(self, x=None, y=None, **kwargs):
        """Evaluate the model as Keras's `evaluate` does; the data are checked first."""
        if private.called_by_fit(kwargs):
            return super().evaluate(x, y, **kwargs)
        check_end(x, "steps", kwargs.get("steps") or keras.config.max_steps_per_epoch())
        x, y, weight = self.check_fit(x, y, kwargs.get("sample_weight"))
        x, y, kwargs = batches_of_sparse(x, y, {**kwargs, "sample_weight": weight})
        with own_errors(x):
            return super().evaluate(x, y, **kwargs)

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """Return what a call returns, a dict of arrays, as Keras's `predict` does; the data are
        checked first. A target in the batches of a dataset is left out."""
        check_end(x, "steps", steps or keras.config.max_steps_per_epoch())
        if is_dataset(x):
            x = for_keras(x, self.checker(predicting=True), self.arranged, self.any_length)
        else:
            x = self.check_inputs(x)
        if has_sparse((x,)):
            x, batch_size = dense_batches((x, None, None), batch_size or 32), None
        with own_errors(x):
            return super().predict(x, batch_size, verbose, steps, callbacks)

    def __sklearn_tags__(self):
        raise TypeError(NO_SKLEARN)

    @property
    def start_size(self):
        """Number of examples that `start_from` needs before the first training step."""
        return self.code.start_size

    def start_from(self, x):
        """Initialize the weights that start from data. `fit` calls it before the first training
        step with the first `start_size` examples; in your own training loop, call it yourself."""
        encode = functools.partial(self.run, self._encode_mean, batch_size=128, verbose=0)
        self.code.start_from(x, encode)


NO_SKLEARN = (
    "A model must be trained by its own `fit`: it can't be a step of a scikit-learn Pipeline or a "
    "search yet. Received: a call by scikit-learn. A scikit-learn transformer is to come; "
    "today scale the data first, x = StandardScaler().fit_transform(x), call model.fit(x), and "
    "pass model.encode(x) on."
)


def called_by_sklearn():
    """Return whether the caller of the function that calls this is code of scikit-learn."""
    caller = inspect.currentframe().f_back.f_back
    return caller is not None and caller.f_globals.get("__name__", "").startswith("sklearn.")


def check_class_weight(class_weight):
    if class_weight is not None:
        raise ValueError(
            "`class_weight` is for classifiers, whose targets are classes. Received: "
            f"class_weight={class_weight!r}. Give each example the weight of its class: "
            "fit(x, sample_weight=np.array([class_weight[label] for label in labels]))."
        )


@contextlib.contextmanager
def own_errors(*datasets):
    """Open a scope in which an error that ended the reading of one of the `datasets` is raised as
    it was, not in the words of a framework."""
    try:
        yield
    except Exception as error:
        raise_own_error(error, *datasets)
        raise


def names_of(model):
    """Return the names of the `example_terms` and `batch_terms` of `model`, in order, as a tuple.

    The terms are computed for one example, in a scope that changes no state: abstractly on JAX,
    which would compile each operation; with real numbers on the other backends, where that takes
    milliseconds.
    """

    def terms(*inputs):
        inputs = inputs if len(inputs) > 1 else inputs[0]
        with keras.StatelessScope():
            outputs = model.with_one_draw(model(inputs, training=False))
            x, _ = model.unpack(inputs)
            each, of_batch = model.example_terms(x, outputs), model.batch_terms(x, outputs)
        check_shapes("terms", each, (1,), "(batch,): one number for each example, not reduced")
        check_shapes("batch_terms", of_batch, (), "(): one number for the batch")
        nonlocal names
        names = (*each, *of_batch)
        check_names(names)
        return list(each.values())

    names = ()
    inputs = [ops.zeros((1, *model.example_shape))]
    if model.condition is not None:
        shape, dtype = model.condition.each
        inputs.append(ops.zeros((1, *shape), dtype))
    if keras.backend.backend() == "jax":
        import jax

        jax.eval_shape(terms, *inputs)
    else:
        terms(*inputs)
    return names


def check_shapes(method, terms, shape, wanted):
    """Raise unless all `terms` of one example, which `method` returned, have this `shape`."""
    for name, term in terms.items():
        received = tuple(ops.convert_to_tensor(term).shape)
        if received != shape:
            each = str(received).replace("1", "batch", 1) if received[:1] == (1,) else received
            raise ValueError(
                f"`{method}` must return tensors of shape {wanted}. Received: `{name}` of shape "
                f"{each}."
            )


def check_names(names):
    """Raise unless each term has a name of its own, which isn't Keras's name of the whole loss."""
    twice = sorted({name for name in names if names.count(name) > 1 or name == "loss"})
    if twice:
        raise ValueError(
            "Each term of `terms` and `batch_terms` must have a name of its own, other than "
            f"'loss'. Received: {', '.join(names)}. Rename {', '.join(twice)}."
        )


def check_weights(weights, names):
    """Raise unless `coefficients`, which returned these `weights`, gives terms their weights."""
    unknown = sorted(set(weights) - set(names))
    if unknown or not weights:
        received = f"{', '.join(unknown)}. {nearest(unknown[0], names)}" if unknown else "none."
        raise ValueError(
            f"`coefficients` must name one or more of the terms {', '.join(names)}. Received: "
            f"{received}"
        )
