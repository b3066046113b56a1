"""The comments of a snippet are compared with what it gives."""

import pytest
from snippets import run

START = "import numpy as np\nfrom keras import ops\nx = ops.zeros((2, 3))\n"


@pytest.mark.parametrize(
    "right, wrong",
    [
        ("1 / 3  # 0.333", "1 / 3  # 0.334"),
        ("1 / 3  # about 0.3: a third", "1 / 3  # about 0.4: a third"),
        ("y = ops.log([0.5, 1.0])  # [-0.693, 0.0] nats", "y = ops.log([0.5])  # [0.693] nats"),
        ("[1.0, 2.0]  # [1, 2]", "[1.0, 2.0]  # [1]"),
        ("x  # (2, 3)", "x  # (2, 4)"),
        ("x.shape, None  # (2, 3) and (None)", "x.shape  # (None, 3)"),
        ("a, b = x, x[0]  # (2, 3) and (3,)", "a, b = x, x[0]  # (2, 3) and (2,)"),
        ("3.0, 2**0.5  # (3, 1.41)", "3.0, 2**0.5  # (3, 1.42)"),
        ("'vae'  # \"vae\"", "'vae'  # \"ae\""),
        ("np.nan  # not a number", "np.nan  # 1"),
        ("(\n    1 + 1\n)  # 2", "(\n    1 + 1\n)  # 3"),
        ("# 3\n2", "2  # 3"),
    ],
)
def test_comments_are_compared(right, wrong):
    run(START + right, "right")
    with pytest.raises(AssertionError, match="(?s)wrong: .* gives .*, not # "):
        run(START + wrong, "wrong")
