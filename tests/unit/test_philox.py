"""The latents' generator: the C++ core against a NumPy reading of docs/random.md, bit by bit."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from vidrt import _core


def _load_reference() -> ModuleType:
    # Tests are no package (--import-mode=importlib), so a helper beside them is loaded by its path.
    spec = importlib.util.spec_from_file_location("philox_reference", Path(__file__).with_name("philox_reference.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = _load_reference()


def test_the_reference_gives_the_golden_bits_of_the_cpp_test() -> None:
    bits = reference.standard_normal(7, 9).view(np.uint32).tolist()
    assert bits == [
        0x3998DD84,
        0xBE9C14E7,
        0x3FE4F600,
        0x3F88B00C,
        0x3EC0B7F6,
        0xBFA4BCCD,
        0x3FE7DF5C,
        0xBEFB83EE,
        0x404C2EB5,
    ]


@pytest.mark.parametrize(
    ("seed", "count"), [(0, 1), (1, 4), (7, 100_001), (123_456_789_012_345, 250_000), (2**64 - 1, 4097)]
)
def test_core_and_numpy_give_the_same_bits(seed: int, count: int) -> None:
    ours = _core.standard_normal(seed, count)
    assert ours.dtype == np.float32
    assert np.array_equal(ours.view(np.uint32), reference.standard_normal(seed, count).view(np.uint32))


@pytest.mark.parametrize("stream", [1, 50, 2**32 - 1])
def test_the_noise_that_steps_add_has_the_same_bits_and_is_another_sequence(stream: int) -> None:
    ours = _core.standard_normal(7, 4097, stream)
    assert np.array_equal(ours.view(np.uint32), reference.standard_normal(7, 4097, stream).view(np.uint32))
    assert abs(np.corrcoef(ours, _core.standard_normal(7, 4097))[0, 1]) < 0.1


def test_the_extremes_of_the_uniforms_give_finite_normals() -> None:
    words = np.array([0, 1, 2**29 - 1, 2**29, 2**30, 2**31, 3 * 2**30, 2**32 - 2, 2**32 - 1], dtype=np.uint32)
    logs = reference._log_uniform(words)
    sine, cosine = reference._sincos_uniform(words)
    assert logs[0] == pytest.approx(-32 * np.log(2), rel=1e-15)
    assert logs[-1] == 0.0
    turns = words.astype(np.float64) / 2**32 * 2 * np.pi
    np.testing.assert_allclose(sine, np.sin(turns), atol=1e-15)
    np.testing.assert_allclose(cosine, np.cos(turns), atol=1e-15)


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(_core.InvalidArgument, match="count"):
        _core.standard_normal(0, -1)
