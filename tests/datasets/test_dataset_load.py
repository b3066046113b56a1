import ast
import sys
from pathlib import Path

import numpy as np
import pytest

import keras_aevae.datasets
from keras_aevae.datasets import load


def test_digits_is_the_default():
    assert np.array_equal(load()[0][0], load("digits")[0][0])


def test_binarized_is_a_repeatable_draw_of_the_grey_values():
    (grey, y), _ = load("digits")
    (bits, y_bits), (bits_test, _) = load("digits", binarized=True, seed=1)
    assert set(np.unique(bits)) == {0, 1} and bits.dtype == "float32"
    assert np.array_equal(y, y_bits)
    assert bits.mean() == pytest.approx(grey.mean(), abs=0.01)
    assert np.array_equal(bits, load("digits", binarized=True, seed=1)[0][0])
    assert not np.array_equal(bits, load("digits", binarized=True, seed=2)[0][0])
    # fewer training images leave the bits of the test images alone
    fewer = load("digits", binarized=True, seed=1, num_train=10)
    assert np.array_equal(fewer[1][0], bits_test)


def test_num_train_and_num_test_take_the_first():
    (x, y), (x_test, y_test) = load("digits")
    (few, few_y), (few_test, few_y_test) = load("digits", num_train=7, num_test=3)
    assert np.array_equal(few, x[:7]) and np.array_equal(few_y, y[:7])
    assert np.array_equal(few_test, x_test[:3]) and np.array_equal(few_y_test, y_test[:3])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"name": "mnits"}, "Did you mean: mnist"),
        ({"name": "dsprite"}, "Did you mean: dsprites"),
        ({"name": "cifar10"}, "Valid: digits, dsprites, fashion_mnist, mnist"),
        ({"name": None}, "Received: name=None"),
        ({"num_train": 0}, "`num_train` must be a positive integer"),
        ({"num_test": 361}, "at most 360, .* in 'digits'. Received: num_test=361"),
        ({"seed": 1.5}, "Received: seed=1.5"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        load(**arguments)


def test_importing_needs_numpy_and_keras_only():
    # by the source, since Keras itself loads scikit-learn where that is installed
    allowed = {"keras", "keras_aevae", "numpy"} | sys.stdlib_module_names
    for path in Path(keras_aevae.datasets.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
            else:
                continue
            assert {name.split(".")[0] for name in names} <= allowed, path.name
