"""Measured peaks to a formula with few terms."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def fit_peaks(terms: Array, measured: Array, beside: float) -> Array:
    """Coefficients by which terms (N,K), the first 1, come nearest to measured (N): bytes held with `beside` others.

    Least squares of errors in parts of measured + beside, which is what a plan says. No coefficient but the first is
    negative: no memory shrinks as a clip grows, and a negative one would say so outside the sizes that were measured.
    The first may be, for what loading left free is used before the process grows; where that was enough nothing was
    measured (0), which says only that the formula gives no more, and is left out where three others remain.
    With K of at most 5 all subsets of terms are tried, which is exact (Lawson and Hanson, Solving Least Squares
    Problems, 1974, chapter 23, need not try them all); of fits nearly as good the one with fewer terms is taken.
    """
    seen = measured > 0
    if seen.sum() >= 3:
        terms, measured = terms[seen], measured[seen]
    scale = 1.0 / (measured + max(beside, 1.0))
    best, best_error = np.zeros(terms.shape[1]), float(np.linalg.norm(measured * scale))
    for size in range(1, terms.shape[1] + 1):
        for chosen in combinations(range(terms.shape[1]), size):
            part = terms[:, chosen] * scale[:, None]
            unit = np.maximum(np.linalg.norm(part, axis=0), np.finfo(np.float64).tiny)
            found = np.linalg.lstsq(part / unit, measured * scale, rcond=None)[0] / unit
            error = float(np.linalg.norm(part @ found - measured * scale))
            growing = found[1:] if chosen[0] == 0 else found
            # A term more must be worth it: where nothing is left to explain it would follow the noise.
            if (growing >= 0).all() and error < best_error * 0.9:
                best, best_error = np.zeros(terms.shape[1]), error
                best[list(chosen)] = found
    return best
