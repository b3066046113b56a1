"""The classes that a preset's config may name. Nothing in a config is executed."""

import keras

# Keras's layers that only compute: their configs hold no code, files or foreign modules.
LAYERS = frozenset(
    """
    Activation ActivityRegularization Add AlphaDropout Attention Average AveragePooling1D
    AveragePooling2D AveragePooling3D BatchNormalization Bidirectional CategoryEncoding
    Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose Cropping1D
    Cropping2D Cropping3D Dense DepthwiseConv1D DepthwiseConv2D Dot Dropout EinsumDense ELU
    Embedding Flatten GRU GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D
    GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D
    GlobalMaxPooling3D GroupNormalization GroupQueryAttention Identity InputLayer LSTM LSTMCell
    LayerNormalization LeakyReLU Masking MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum
    MultiHeadAttention Multiply Normalization PReLU Permute RMSNormalization RNN ReLU
    RepeatVector Rescaling Reshape Resizing SeparableConv1D SeparableConv2D SimpleRNN
    SimpleRNNCell Softmax SpatialDropout1D SpatialDropout2D SpatialDropout3D
    SpectralNormalization StackedRNNCells Subtract TimeDistributed UnitNormalization
    UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
    """.split()
)
MODELS = frozenset({"Functional", "Sequential"})
# Whole Keras modules whose classes hold numbers only.
MODULES = frozenset(
    {
        "keras.constraints",
        "keras.initializers",
        "keras.optimizers.schedules",
        "keras.regularizers",
    }
)
# Markers in a functional model's config, which aren't classes.
MARKS = frozenset({"__keras_tensor__", "__tuple__"})


def allowed(entry):
    """Return whether the class that the config entry names may be made."""
    name, module = str(entry.get("class_name")), str(entry.get("module"))
    if name in MARKS:
        return True
    if "module" not in entry:  # Keras would read it by older and laxer rules
        return False
    # As in Keras, a registered name comes first: ours, or one that the user's code has registered.
    # It must be the class's own name, since Keras looks up some class names before it.
    registered = entry.get("registered_name")
    found = keras.saving.get_registered_object(registered) if isinstance(registered, str) else None
    if found is not None:
        return isinstance(found, type) and found.__name__ == name
    if module == "keras.layers":
        return name in LAYERS
    if module in ("keras", "keras.models", "keras.src.models.functional"):
        return name in MODELS or (module == "keras" and name == "DTypePolicy")
    return module in MODULES


def check_config(config, path):
    """Raise an error unless every class in `config`, the content of `path`, may be made."""
    if isinstance(config, dict):
        if "class_name" in config and not allowed(config):
            name = config.get("registered_name") or config["class_name"]
            raise ValueError(
                f"Unsafe or unknown class in '{path}'. Received: {name!r} of module "
                f"{config.get('module')!r}, which presets may not name. If it is your own, import "
                "the code that registers it with keras.saving.register_keras_serializable first."
            )
        for value in config.values():
            check_config(value, path)
    elif isinstance(config, list):
        for value in config:
            check_config(value, path)
