"""The conditions of conditional models, in pictures of several models."""


def told(model, condition):
    """Return the settings of a method of `model`: the `condition` if it is conditional, else
    none."""
    return {"condition": condition} if model.condition_dim else {}
