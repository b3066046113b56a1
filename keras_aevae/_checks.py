"""Checks of arguments: each error names the argument, the value received and the remedy."""

import difflib
import inspect
import math
import numbers


def check_positive_integer(name, value, remedy=""):
    """Return `value` as an int if it is an integer of at least 1, else raise an error."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        got = f"a {type(value).__name__}" if hasattr(value, "shape") else f"{name}={value!r}"
        message = f"`{name}` must be a positive integer. Received: {got}. {remedy}"
        raise ValueError(message.rstrip())
    return int(value)


def check_size(name, value):
    """Return `value` as an int if it is 0 or a positive integer, else raise an error."""
    return 0 if value == 0 and value is not False else check_positive_integer(name, value)


def check_positive_integers(name, value, minimum_length=0):
    """Return `value` as a list of `minimum_length` or more positive integers, else raise."""
    valid = isinstance(value, (list, tuple)) and len(value) >= minimum_length
    if not valid:
        raise ValueError(
            f"`{name}` must be a tuple of positive integers, one for each layer, such as (32, 64)"
            f"{', and not empty' if minimum_length else ''}. Received: {name}={value!r}."
        )
    return [check_positive_integer(name, n) for n in value]


def check_seed(seed):
    """Return `seed` as an int if it is an integer from 0 to 2^31 - 1, else raise."""
    valid = isinstance(seed, numbers.Integral) and not isinstance(seed, bool)
    if not valid or not 0 <= seed < 2**31:
        raise ValueError(
            "`seed` must be an integer of 0 or more, below 2^31, so that draws can be repeated on "
            f"every backend. Received: seed={seed!r}."
        )
    return int(seed)


def check_number(name, value, minimum=None, exclusive=False, maximum=None, remedy=""):
    """Return `value` as a finite float, above `minimum` (`exclusive`: strictly) and at most
    `maximum`, else raise."""
    domain = "a finite number"
    if minimum is not None:
        domain += f" {'greater than' if exclusive else 'of at least'} {minimum}"
    if maximum is not None:
        domain += f" and at most {maximum}"
    valid = isinstance(value, numbers.Real) and not isinstance(value, bool)
    valid = valid and math.isfinite(value)
    if valid and minimum is not None:
        valid = value > minimum if exclusive else value >= minimum
    if valid and maximum is not None:
        valid = value <= maximum
    if not valid:
        raise ValueError(
            f"`{name}` must be {domain}. Received: {name}={value!r}. {remedy}".rstrip()
        )
    return float(value)


def check_shape(name, value):
    """Return `value` as a tuple of positive integers, else raise."""
    try:
        shape = tuple(value)
    except TypeError:
        shape = ()
    valid = all(isinstance(n, numbers.Integral) and n > 0 for n in shape)
    if not shape or not valid:
        raise ValueError(
            f"`{name}` must be a tuple of positive integers without the batch axis, such as "
            f"(28, 28, 1) or (784,). Received: {name}={value!r}."
        )
    return tuple(int(n) for n in shape)


def nearest(name, valid):
    """Return a text that lists the valid names nearest to `name`, or all if none is near.

    Letters count, not their case, nor what separates words: "VAE-Conv MNIST" is near to
    "vae_conv_mnist" alone.
    """
    valid = sorted(valid)
    letters = {one: letters_of(one) for one in valid}
    wanted = letters_of(name) if isinstance(name, str) else ""
    close = [one for one in valid if letters[one] == wanted]
    if not close and len(wanted) > 2:  # the beginning of a few
        begun = [one for one in valid if letters[one].startswith(wanted)]
        close = begun if len(begun) <= 3 else []
    if not close and wanted:
        found = difflib.get_close_matches(wanted, set(letters.values()), n=3, cutoff=0.5)
        close = [one for each in found for one in valid if letters[one] == each]
    if close:
        return f"Did you mean: {', '.join(close)}?"
    return f"Valid: {', '.join(valid) or 'none'}."


def letters_of(name):
    """Return the letters and digits of a name, in lower case."""
    return "".join(filter(str.isalnum, str(name).casefold()))


def check_name(argument, value, valid):
    """Return `value` if it is one of the names `valid`, else raise with the nearest ones."""
    if not isinstance(value, str) or value not in valid:
        raise ValueError(
            f"Unknown `{argument}`. Received: {argument}={value!r}. {nearest(value, valid)}"
        )
    return value


def check_keywords(cls, left):
    """Raise an error, which names the nearest arguments of the constructors of `cls`, if keywords
    are `left` that none of them takes."""
    constructors = [vars(base)["__init__"] for base in cls.__mro__ if "__init__" in vars(base)]
    known = {name: None for init in constructors for name in argument_names(init)}
    del known["self"]
    for name, value in left.items():
        if name not in known:
            raise TypeError(
                f"{cls.__name__} takes no argument `{name}`. Received: {name}={value!r}. "
                f"{nearest(name, known)}"
            )


def argument_names(function):
    """Return the names of the arguments of `function`, without `*args` and `**kwargs`."""
    known = inspect.signature(function).parameters.values()
    return [p.name for p in known if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def takes_any(function):
    """Return whether `function` takes `**kwargs`."""
    known = inspect.signature(function).parameters.values()
    return any(p.kind is p.VAR_KEYWORD for p in known)


def agree(shape, other):
    """Return whether one array can have both shapes, in which None stands for any size."""
    return len(shape) == len(other) and all(a == b or None in (a, b) for a, b in zip(shape, other))
