"""What conditional models are told, in pictures of several models."""


def told(model, condition):
    """Settings of a verb of `model`: the `condition`, for a conditional model; for others none."""
    return {"condition": condition} if model.condition_dim else {}
