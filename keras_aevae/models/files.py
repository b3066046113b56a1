"""A model in files: presets, and exports that run without this library."""

import functools
from pathlib import Path

import h5py
import keras

from keras_aevae import hub
from keras_aevae._checks import check_name
from keras_aevae.engine.export import export_function


class Files:
    """A mixin of the models that reads and writes presets and exports."""

    presets = hub.Presets()

    @classmethod
    def from_preset(cls, preset, *, load_weights=True, **overrides):
        """Load a pretrained model.

        Args:
            preset: a name ("vae_conv_mnist" for its newest version, "vae_conv_mnist/1" for version
                1), a directory made by `save_to_preset`, "hf://user/repo" or "kaggle://...".
            load_weights: False for the architecture alone, with fresh weights.
            **overrides: constructor arguments to change, such as `beta=4.0`.

        Raises:
            ValueError: if the name or version is unknown, or the preset is of another class,
                damaged or unsafe; the message names the file and the check that failed.

        `Autoencoder.from_preset` finds the right class; a subclass loads only presets of itself or
        of its own subclasses. `Autoencoder.presets` lists all presets.

        Example:

        ```python
        from keras_aevae import VAE
        vae = VAE.from_preset("vae_mlp_digits")
        images = vae.sample(16, seed=0)
        ```
        """
        return hub.load(cls, preset, load_weights=load_weights, overrides=overrides)

    def load_weights(self, filepath, skip_mismatch=False, **kwargs):
        """Load weights as Keras's `load_weights` does, into a model that has a fitted prior if the
        file has one, and only then.

        Weights alone don't say which prior it is. Save the whole model, by `model.save` or
        `save_to_preset`, to keep both.
        """
        if not skip_mismatch:
            check_fitted_prior(filepath, self.fitted_prior)
        super().load_weights(filepath, skip_mismatch=skip_mismatch, **kwargs)

    def save_to_preset(self, directory, *, card=None, metadata=None):
        """Write the config, weights, metadata and card to `directory`, for `from_preset` to read.

        Args:
            directory: the directory to write to; it is made if it doesn't exist.
            card: Markdown text about the model; by default a short one.
            metadata: dict of facts to keep, such as measured test numbers.
        """
        hub.save(self, directory, card=card, metadata=metadata or {})

    def export(self, filepath, format="tf_saved_model", *, part=None, batch_size=None, **kwargs):
        """Write the model, or its encoder or decoder, to a file that runs without this library.

        The exported graph is deterministic: it gives what `encode`, `decode` and `reconstruct`
        give, and draws no noise. To sample, export the decoder and draw z from the prior where it
        runs. A model can be exported as soon as it is made, and can be trained further afterwards.

        Args:
            filepath: a folder for a SavedModel; else a file with the extension given below.
            format: "tf_saved_model" (on TensorFlow and JAX), "onnx" (`.onnx`, on all three),
                "torch" (`.pt2`, on PyTorch), "litert" (`.tflite`, on TensorFlow) or "openvino"
                (`.xml`, on TensorFlow).
            part: None for the whole model, which takes `x` and gives `z` and `reconstruction`;
                "encoder" takes `x` and gives `z`; "decoder" takes `z` and gives `reconstruction`.
                Of a model whose decoder sees x only the encoder can be exported.
                Inputs and outputs have these names. A conditional model's second input is
                `condition`: int32 labels, shape (batch,), or float32 vectors. (Labels that are
                strings are given by their positions in `classes`.)
            batch_size: a fixed batch size, which some devices need; None for any size.
            **kwargs: `verbose=False` to print nothing; other arguments of Keras's writer of the
                format, such as `opset_version` for ONNX.

        Raises:
            ValueError: if the backend in use can't write the format; the message lists the formats
                that it can write.
            ImportError: if a package is missing; the message says what to install.

        Example:

        ```python
        import keras
        from keras_aevae import VAE
        vae = VAE.from_preset("vae_mlp_digits")
        if keras.backend.backend() == "torch":
            vae.export("decoder.pt2", format="torch", part="decoder")
        else:
            vae.export("decoder", format="tf_saved_model", part="decoder")
        ```
        """
        if part is not None:
            check_name("part", part, ("encoder", "decoder"))
        if self.past is not None and part != "encoder":
            raise ValueError(
                "`part` must be 'encoder' for a model whose decoder sees x: it decodes step by "
                "step, each step a pass of its own, which a file doesn't hold. Received: "
                f"part={part!r}. Save the model to decode with it: model.save('model.keras')."
            )
        if self.any_length:
            raise ValueError(
                "`export` writes files for data of one length. Received: a model of data of any, "
                f"data_shape={self.data_shape}. Build the encoder for one, and export it then."
            )
        first = ("z", (self.latent_dim,)) if part == "decoder" else ("x", self.data_shape)
        inputs = [(*first, "float32")]
        if self.condition is not None:
            inputs.append(("condition", *self.condition.each))
        signature = [
            keras.InputSpec(shape=(batch_size, *shape), dtype=dtype, name=name)
            for name, shape, dtype in inputs
        ]
        function = functools.partial(self._exported, part)
        export_function(function, signature, filepath, format, **kwargs)

    def _exported(self, part, first, condition=None):
        """Return the outputs of `part` of the model, by name, in alphabetical order."""

        def given(tensor):
            return tensor if condition is None else (tensor, condition)

        if part == "decoder":
            return {"reconstruction": self._decode(given(first))}
        z = self._encode(given(first))
        return (
            {"z": z}
            if part == "encoder"
            else {
                "reconstruction": self._decode(given(z)),
                "z": z,
            }
        )


def check_fitted_prior(filepath, prior):
    """Raise if only one has a fitted prior: the file of weights `filepath`, or the model, whose is
    `prior`. Other files than ".weights.h5" are left to Keras."""
    if not str(filepath).endswith(".weights.h5") or not Path(filepath).is_file():
        return
    with h5py.File(filepath) as file:
        held = bool(file.get("code/fitted"))
    if held and prior is None:
        raise ValueError(
            "The model must have a fitted prior, as the file has, of the same kind. Received: a "
            f"model without one, and '{filepath}' with one. Call `set_prior` with such a prior "
            "first, or pass skip_mismatch=True to leave the file's out. `model.save` and "
            "`save_to_preset` keep a model and its fitted prior together."
        )
    if prior is not None and not held:
        raise ValueError(
            f"The file must hold a fitted prior, as the model does. Received: '{filepath}' without "
            f"one, and a model with a {type(prior).__name__}. Call set_prior(None) first, and fit "
            "the prior again afterwards: it was fitted to the codes of other weights."
        )
