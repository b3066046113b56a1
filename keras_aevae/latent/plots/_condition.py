"""The conditions of conditional models, in pictures of several models."""


def condition_setting(model, condition):
    """Return the keyword `condition` for a method of `model` if it is conditional, else no
    keywords."""
    return {"condition": condition} if model.condition_dim else {}
