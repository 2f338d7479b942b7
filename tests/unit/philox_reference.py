"""The generator of docs/random.md in NumPy, written from the definition alone."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]
Doubles = npt.NDArray[np.float64]

_LN2 = 0.6931471805599453
_SQRT_HALF = 0.7071067811865476
_LOG = [2.0 / (2 * k + 1) for k in range(10)]
# repr() of the correctly rounded coefficients (-1)^k (pi/2)^n / n!, n = 2k+1 for sin and 2k for cos.
_SIN = [
    1.5707963267948966,
    -0.6459640975062463,
    0.07969262624616705,
    -0.004681754135318688,
    0.00016044118478735983,
    -3.598843235212085e-06,
    5.692172921967927e-08,
    -6.688035109811468e-10,
    6.0669357311061955e-12,
]
_COS = [
    1.0,
    -1.2337005501361697,
    0.25366950790104803,
    -0.02086348076335296,
    0.0009192602748394266,
    -2.5202042373060607e-05,
    4.710874778818172e-07,
    -6.386603083791852e-09,
    6.565963114979473e-11,
]


def philox4x32_10(counters: npt.NDArray[np.uint64], seed: int, stream: int = 0) -> tuple[Words, Words, Words, Words]:
    """Ten rounds of Philox4x32 over the counters (c mod 2^32, c div 2^32, stream, 0)."""
    mask = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    words = [counters & mask, counters >> shift, np.full_like(counters, stream), np.zeros_like(counters)]
    key = [np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)]
    for _ in range(10):
        product0 = np.uint64(0xD2511F53) * words[0]
        product1 = np.uint64(0xCD9E8D57) * words[2]
        words = [
            (product1 >> shift) ^ words[1] ^ key[0],
            product1 & mask,
            (product0 >> shift) ^ words[3] ^ key[1],
            product0 & mask,
        ]
        key = [(key[0] + np.uint64(0x9E3779B9)) & mask, (key[1] + np.uint64(0xBB67AE85)) & mask]
    first, second, third, fourth = (word.astype(np.uint32) for word in words)
    return first, second, third, fourth


def _horner(coefficients: list[float], x: Doubles) -> Doubles:
    total = np.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total * x + coefficient
    return total


def _log_uniform(bits: Words) -> Doubles:
    mantissa, exponent = np.frexp(bits.astype(np.float64) + 1.0)
    low = mantissa < _SQRT_HALF
    mantissa = np.where(low, mantissa * 2.0, mantissa)
    exponent = np.where(low, exponent - 1, exponent)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    result: Doubles = (exponent - 32).astype(np.float64) * _LN2 + s * _horner(_LOG, s * s)
    return result


def _sincos_uniform(bits: Words) -> tuple[Doubles, Doubles]:
    rounded = (bits.astype(np.uint64) + np.uint64(1 << 29)) & np.uint64(0xFFFFFFFF)
    quadrant = rounded >> np.uint64(30)
    t = ((rounded & np.uint64(0x3FFFFFFF)).astype(np.float64) - 2.0**29) * 2.0**-30
    s = t * _horner(_SIN, t * t)
    c = _horner(_COS, t * t)
    sine = np.choose(quadrant.astype(np.int64), [s, c, -s, -c])
    cosine = np.choose(quadrant.astype(np.int64), [c, -s, -c, s])
    return sine, cosine


def standard_normal(seed: int, count: int, stream: int = 0) -> npt.NDArray[np.float32]:
    """The first `count` values of a sequence of `seed`, float32."""
    words = philox4x32_10(np.arange(math.ceil(count / 4), dtype=np.uint64), seed, stream)
    columns = []
    for first, second in ((words[0], words[1]), (words[2], words[3])):
        radius = np.sqrt(-2.0 * _log_uniform(first))
        sine, cosine = _sincos_uniform(second)
        columns += [(radius * cosine).astype(np.float32), (radius * sine).astype(np.float32)]
    return np.stack(columns, axis=1).reshape(-1)[:count]
