"""The three shapes of dSprites: equations, from which small binary sprites are drawn once."""

import functools
import math

import numpy as np

SHAPES = ("square", "ellipse", "heart")
SCALES = np.linspace(0.5, 1, 6)
# Both ends are included, as in the published grid: the first and the last angle are the same.
ORIENTATIONS = np.linspace(0, 2 * np.pi, 40)

# A sprite is drawn in a box of 33 x 33 pixels around its centre of mass. All shapes have the same
# area at the same scale, so that brightness doesn't reveal the shape, and lie within RADIUS.
BOX = 33
RADIUS = 15.2  # < 16: the outermost pixels stay black; and no pixel lies exactly on an outline
AREA = 2 * RADIUS**2  # at scale 1: of the square whose half diagonal is RADIUS

# area and height of the centre of mass of the heart's equation below, in its own units
_HEART_AREA = 3.66198
_HEART_CENTRE = 0.29348


def _square(a, b):
    return np.maximum(np.abs(a), np.abs(b)) <= math.sqrt(AREA) / 2


def _ellipse(a, b):
    # semi-axes r, s with r s pi = AREA
    r, s = RADIUS, AREA / (math.pi * RADIUS)
    return (a / r) ** 2 + (b / s) ** 2 <= 1


def _heart(a, b):
    # (p^2 + q^2 - 1)^3 <= p^2 q^3
    unit = math.sqrt(AREA / _HEART_AREA)
    p, q = a / unit, b / unit + _HEART_CENTRE
    return (p**2 + q**2 - 1) ** 3 <= p**2 * q**3


@functools.cache
def draw_sprites():
    """Return all sprites around their centres: float32 zeros and ones, `(3, 6, 40, BOX, BOX)`.

    The axes before the pixels are shape, scale and orientation. Sprites are upright at orientation
    0 and turn counter-clockwise. They are drawn at the first call (3 MB); don't write into the
    result.
    """
    offset = np.arange(BOX) - BOX // 2
    u, v = offset[None, :], -offset[:, None]  # to the right; up, while rows count down
    scale = SCALES[:, None, None, None]
    cos, sin = (f(ORIENTATIONS)[:, None, None] for f in (np.cos, np.sin))
    # the pixel in the frame of the shape, (6, 40, BOX, BOX): turned back, and enlarged
    a = (cos * u + sin * v) / scale
    b = (cos * v - sin * u) / scale
    sprites = np.stack([inside(a, b) for inside in (_square, _ellipse, _heart)]).astype("float32")
    sprites.flags.writeable = False
    return sprites
