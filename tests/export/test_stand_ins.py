"""Modules without their weights, and with those that a file stores: nothing of the module itself changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from vidrt.export import stand_ins
from vidrt.export.spec import Precision
from vidrt.export.stand_ins import fake_weights, stored_weights
from vidrt.export.weights import named_weights, stored_names, write_weights

IDS = torch.tensor([[0, 3, 6]])
STORAGES: list[tuple[Precision, torch.dtype]] = [
    ("bf16", torch.bfloat16),
    ("fp16", torch.float16),
    ("fp32", torch.float32),
]


class Subject(nn.Module):
    table: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.look_up = nn.Embedding(7, 6)
        self.linear = nn.Linear(6, 6)
        self.tied = nn.Linear(6, 6)
        self.tied.weight = self.linear.weight
        self.register_buffer("table", torch.arange(6.0), persistent=False)
        self.register_buffer("order", torch.tensor([1, 0, 2]))

    def forward(self, ids: Tensor) -> Tensor:
        return self.tied(self.linear(self.look_up(ids[:, self.order])) + self.table)


def _subject() -> Subject:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Subject().eval().requires_grad_(False)


@pytest.mark.parametrize("streamed_bytes", [0, 2**22])
@pytest.mark.parametrize(("storage", "dtype"), STORAGES)
def test_a_module_computes_in_float32_with_what_is_stored(
    storage: Precision, dtype: torch.dtype, streamed_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_ins, "STREAMED_BYTES", streamed_bytes)
    subject, rounded = _subject(), _subject()
    for parameter in rounded.parameters():
        parameter.copy_(parameter.to(dtype).float())
    weights = named_weights({"net": subject}, storage)
    file = write_weights(tmp_path, weights)
    own = list(subject.parameters())
    with stored_weights(subject, tmp_path, file, stored_names(subject, weights)):
        for _ in range(2):  # a layer's weight comes back for every call
            assert torch.equal(subject(IDS), rounded(IDS))
        kept = sum(parameter.untyped_storage().nbytes() for parameter in subject.parameters())
        if streamed_bytes == 0 and storage != "fp32":
            assert kept == 4 * len(list(subject.named_parameters(remove_duplicate=False)))
    assert all(mine is theirs for mine, theirs in zip(subject.parameters(), own, strict=True))
    assert torch.equal(subject(IDS), _subject()(IDS))


def test_a_weight_that_is_not_aligned_in_its_file_is_read_right(tmp_path: Path) -> None:
    subject = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1)).eval().requires_grad_(False)
    weights = named_weights({"net": subject}, "fp16")
    file = write_weights(tmp_path, weights)
    assert any(tensor.offset % tensor.dtype.itemsize for tensor in file.tensors.values())
    x = torch.randn(2, 3)
    with stored_weights(subject, tmp_path, file, stored_names(subject, weights)):
        assert subject(x).isfinite().all()
        for name, tensor in subject.state_dict().items():
            assert torch.equal(tensor, weights[f"net.{name}"].tensor.half().to(tensor.dtype))


def test_fake_weights_are_float32_without_numbers_and_tied_ones_stay_tied() -> None:
    subject = _subject().to(torch.bfloat16)
    own = list(subject.parameters())
    with fake_weights(subject):
        assert subject.linear.weight is subject.tied.weight
        assert subject.linear.weight.dtype == torch.float32
        assert subject.order.dtype == torch.int64
        assert type(subject.look_up.weight.data).__name__ == "FakeTensor"
        assert subject.table.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]  # a constant
    assert all(mine is theirs for mine, theirs in zip(subject.parameters(), own, strict=True))


def test_weights_come_back_when_the_work_with_stand_ins_fails() -> None:
    subject = _subject()
    own = list(subject.parameters())
    with pytest.raises(ValueError, match="broken"), fake_weights(subject):
        raise ValueError("broken")
    assert all(mine is theirs for mine, theirs in zip(subject.parameters(), own, strict=True))
