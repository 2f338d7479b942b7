"""The weights' file is the checkpoint: same names, same bytes, once."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from vidrt.export.errors import ExportError
from vidrt.export.weights import Weight, named_weights, stored_names, write_weights


def _linear() -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Linear(3, 5)


def test_a_written_file_reads_back_with_a_safetensors_reader(tmp_path: Path) -> None:
    weights = {
        "a.float": Weight(torch.randn(4, 3), torch.float32),
        "a.half": Weight(torch.randn(7), torch.float16),
        "a.brain": Weight(torch.randn(2, 2), torch.bfloat16),
        "b.count": Weight(torch.tensor(3), torch.int64),
        "b.empty": Weight(torch.zeros(0, 4), torch.float32),
    }
    file = write_weights(tmp_path, weights)
    read = load_file(tmp_path / file.path)
    assert set(read) == set(weights)
    for name, weight in weights.items():
        assert read[name].dtype == weight.dtype
        assert torch.equal(read[name], weight.tensor.to(weight.dtype))


def test_a_file_is_named_by_its_content(tmp_path: Path) -> None:
    weights = {"a": Weight(torch.arange(6.0), torch.float16)}
    file, again = (write_weights(tmp_path / name, weights) for name in ("one", "two"))
    content = (tmp_path / "one" / file.path).read_bytes()
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert file.path == f"weights/{file.sha256[:16]}.safetensors" == again.path
    assert file.bytes == len(content)
    assert [path.name for path in (tmp_path / "one" / "weights").iterdir()] == [Path(file.path).name]


def test_recorded_spans_hold_each_tensors_bytes(tmp_path: Path) -> None:
    weights = {name: Weight(torch.randn(count), torch.float32) for name, count in [("a", 3), ("b", 64), ("c", 16)]}
    file = write_weights(tmp_path, weights)
    content = (tmp_path / file.path).read_bytes()
    for name, stored in file.tensors.items():
        expected = weights[name].tensor.numpy().tobytes()
        assert content[stored.offset : stored.offset + stored.length] == expected


def test_odd_sizes_move_no_other_tensor_off_its_alignment(tmp_path: Path) -> None:
    weights = {name: Weight(torch.randn(count), torch.float32) for name, count in [("a", 3), ("b", 64), ("c", 16)]}
    tensors = write_weights(tmp_path, weights).tensors
    assert [tensors[name].offset % 64 for name in ("b", "c")] == [0, 0]


@pytest.mark.parametrize("value", [70000.0, float("inf"), float("nan")])
def test_a_weight_that_the_storage_cannot_hold_is_named(value: float, tmp_path: Path) -> None:
    network = _linear()
    with torch.no_grad():
        network.bias[2] = value
    message = f"the weight net.bias holds the value {value:g}, which fp16 cannot hold; choose a wider storage."
    with pytest.raises(ExportError, match=re.escape(message)):
        write_weights(tmp_path, named_weights({"net": network}, "fp16"))


def test_a_constant_may_hold_infinities(tmp_path: Path) -> None:
    mask = torch.tensor([0.0, -torch.inf])
    assert write_weights(tmp_path, {"mask": Weight(mask, torch.float32, constant=True)}).tensors["mask"].length == 8


def test_tied_weights_are_stored_once() -> None:
    first, second = _linear(), _linear()
    second.weight = first.weight
    weights = named_weights({"a": first, "b": second}, "fp16")
    assert sorted(weights) == ["a.bias", "a.weight", "b.bias"]
    assert stored_names(second, weights) == {"weight": "a.weight", "bias": "b.bias"}


def test_whole_numbers_keep_their_dtype() -> None:
    network = nn.Module()
    network.register_buffer("table", torch.arange(4))
    assert named_weights({"net": network}, "fp16")["net.table"].dtype == torch.int64


def test_a_wrapper_stores_its_weights_under_the_networks_names() -> None:
    network = _linear()
    wrapper = nn.Sequential(nn.SiLU(), network)
    weights = named_weights({"net": network}, "fp16")
    assert stored_names(wrapper, weights) == {"1.weight": "net.weight", "1.bias": "net.bias"}


def test_a_weight_that_no_network_has_is_named() -> None:
    weights = named_weights({"net": _linear()}, "fp16")
    with pytest.raises(ExportError, match="Linear has the weight 'weight', which is none of the networks'"):
        stored_names(_linear(), weights)


def test_a_dtype_that_safetensors_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"the weight a is torch\.complex64"):
        write_weights(tmp_path, {"a": Weight(torch.zeros(2, dtype=torch.complex64), torch.complex64)})
