"""The mean of exp(kappa w) over a unit sphere, where w is the cosine of the angle to a fixed
direction; and its derivative. They are modified Bessel functions, which Keras doesn't have.

On the sphere in m dimensions, with v = m/2 - 1 (NIST Digital Library of Mathematical Functions,
https://dlmf.nist.gov/10.32.E2),

    M(kappa) = E[exp(kappa w)] = Gamma(v + 1) (2 / kappa)^v I_v(kappa)
    A(kappa) = (log M)'        = I_{v+1}(kappa) / I_v(kappa)

Both are taken from the uniform asymptotic expansion at an order of at least 6
(https://dlmf.nist.gov/10.41.E3), and brought down to v by the recurrence
I_{n-1} = (2n / kappa) I_n + I_{n+1}, which loses no digits in this direction.
"""

import functools
import math
from typing import Any, NamedTuple

from keras import ops
from numpy.polynomial import Polynomial

# With these, the KL has a relative error of 2e-6 at most in float32, for kappa from 1e-3 to 1e4 and
# m from 2 to 200; that of the expansion alone is 6e-7.
LOWEST_ORDER = 6
NUM_TERMS = 6


class SphereMean(NamedTuple):
    """Quantities derived from M(kappa), each of the shape of kappa.

    The comments say where each is accurate. Several are needed, since float32 holds no digits of
    1 - A if A is near 1, nor of A if it is near 0.
    """

    # log M, accurate for small kappa; and log M - kappa, for large kappa.
    log: Any
    log_minus_kappa: Any
    # A / kappa, accurate for small kappa, finite at 0; and kappa (1 - A), for large kappa.
    ratio: Any
    shortfall: Any


def sphere_mean(kappa, dimension):
    """Return `SphereMean` at `kappa`, a float32 tensor of values >= 0, on the unit sphere in
    `dimension` dimensions. Its gradients are as accurate as its values."""
    lowest = dimension / 2 - 1
    steps = max(0, math.ceil(LOWEST_ORDER - lowest))
    n = lowest + steps  # the order of the expansion
    # The expansion, in p = n / s and q = 1 - p; d = s / n - 1.
    squared = ops.square(kappa)
    s = ops.sqrt(n * n + squared)
    p, q, d = n / s, squared / (s * (s + n)), squared / (n * (s + n))
    quotient, slope, at_one = expansion(n)
    change = q * horner(quotient, p) / at_one
    log = ops.log1p(change) - n * ops.log1p(0.5 * d) - 0.5 * ops.log1p(d)
    log_minus_kappa = n * n / (s + kappa) - n + log
    log = n * d + log
    # Its derivative in closed form: in float32, a difference of two orders would have few digits.
    bend = 0.5 / (s * s) + n / (s * s * s) * horner(slope, p) / (at_one * (1.0 + change))
    ratio = 1.0 / (s + n) - bend
    shortfall = kappa * (n + n * n / (s + kappa)) / (s + n) + squared * bend
    for order in (n - i for i in range(steps)):
        below = 2.0 * order + squared * ratio
        added = ops.log1p(squared * ratio / (2.0 * order))
        log, log_minus_kappa = log + added, log_minus_kappa + added
        ratio, shortfall = 1.0 / below, kappa * (2.0 * order - shortfall) / below
    return SphereMean(log, log_minus_kappa, ratio, shortfall)


@functools.cache
def expansion(n):
    """Return coefficients for the sum U(p) of u_k(p) / n^k: of the polynomials
    (U(p) - U(1)) / (1 - p) and U'(p), and the number U(1)."""
    total = sum((u / n**k for k, u in enumerate(polynomials())), Polynomial([0.0]))
    quotient = (total - total(1.0)) // Polynomial([1.0, -1.0])
    return quotient.coef.tolist(), total.deriv().coef.tolist(), float(total(1.0))


@functools.cache
def polynomials():
    """Return u_0, u_1, ...: https://dlmf.nist.gov/10.41.E9."""
    us = [Polynomial([1.0])]
    for _ in range(NUM_TERMS):
        integral = (Polynomial([1.0, 0.0, -5.0]) * us[-1]).integ()
        us.append(Polynomial([0.0, 0.0, 0.5, 0.0, -0.5]) * us[-1].deriv() + integral / 8)
    return us


def horner(coefficients, x):
    """Return the polynomial with these coefficients, the constant first, at x."""
    value = ops.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        value = value * x + c
    return value
