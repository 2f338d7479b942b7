"""Modules with other tensors in the place of their weights, for a while: none at all to trace, stored ones to compare.

Both are for weights that are larger than memory: of a network, only what its source file maps is ever touched.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from vidrt.export.weights import StoredTensor, WeightFile

STREAMED_BYTES = 2**22
"""Narrower weights that are larger than this in float32 are widened for the one call that needs them, and dropped."""


@contextlib.contextmanager
def fake_weights(module: nn.Module) -> Iterator[None]:
    """Put tensors without numbers in the place of a module's weights: its parameters and persistent buffers.

    Floating-point weights, whatever they are stored in, become float32, which graphs are traced in. Tied weights stay
    tied. Buffers that are not persistent, which are constants, stay as they are.
    """
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    made: dict[int, Tensor] = {}

    def fake(slot: _Slot) -> Tensor:
        if id(slot.tensor) not in made:
            dtype = torch.float32 if slot.tensor.is_floating_point() else slot.tensor.dtype
            with mode:
                made[id(slot.tensor)] = slot.kind(torch.empty(slot.tensor.shape, dtype=dtype))
        return made[id(slot.tensor)]

    with _replaced(module, fake):
        yield


@contextlib.contextmanager
def stored_weights(module: nn.Module, root: Path, file: WeightFile, names: Mapping[str, str]) -> Iterator[None]:
    """Let a module compute in float32 with the weights that a file stores.

    Weights are mapped where they are stored in float32. Large ones that are not must be used by the forward call of
    the layer that has them alone: outside it they are not-a-number.

    Args:
        module: The module.
        root: The bundle's folder.
        file: A file of it with the module's weights. Those that are not in it stay what they are.
        names: The stored name of each weight of the module.
    """
    content = torch.from_file(str(root / file.path), shared=False, size=file.bytes, dtype=torch.uint8)
    with contextlib.ExitStack() as hooks:

        def stored(slot: _Slot) -> Tensor:
            kept = file.tensors.get(names[slot.path])
            view = slot.tensor if kept is None else _view(content, kept)
            if not view.is_floating_point() or view.dtype == torch.float32:
                return slot.kind(view)
            if view.numel() * torch.float32.itemsize <= STREAMED_BYTES:
                return slot.kind(view.float())
            hooks.enter_context(_widened_in_calls(slot, view))
            return slot.kind(torch.full((1,), float("nan")).expand(view.shape))

        with _replaced(module, stored):
            yield


def _view(content: Tensor, stored: StoredTensor) -> Tensor:
    """A tensor over a file's bytes; a copy where they are not aligned for it."""
    raw = content[stored.offset : stored.offset + stored.length]
    aligned = stored.offset % stored.dtype.itemsize == 0
    return (raw if aligned else raw.clone()).view(stored.dtype).view(stored.shape)


@contextlib.contextmanager
def _widened_in_calls(slot: _Slot, narrow: Tensor) -> Iterator[None]:
    """Give a layer its weight in float32 while it runs; an embedding looks up first and widens what it found."""
    looks_up = isinstance(slot.owner, nn.Embedding)
    at_rest: list[Tensor] = []

    def before(layer: nn.Module, arguments: object) -> None:
        parameter = layer.get_parameter(slot.name)
        at_rest.append(parameter.data)
        parameter.data = narrow if looks_up else narrow.float()

    def after(layer: nn.Module, arguments: object, output: Tensor) -> Tensor | None:
        layer.get_parameter(slot.name).data = at_rest.pop()
        return output.float() if looks_up else None

    handles = (slot.owner.register_forward_pre_hook(before), slot.owner.register_forward_hook(after))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextlib.contextmanager
def _replaced(module: nn.Module, replacement: Callable[[_Slot], Tensor]) -> Iterator[None]:
    """Put tensors in the place of parameters and persistent buffers, and the old ones back in the end."""
    slots = list(_weight_slots(module))
    try:
        for slot in slots:
            slot.put(replacement(slot))
        yield
    finally:
        for slot in slots:
            slot.put(slot.tensor)


@dataclasses.dataclass(frozen=True)
class _Slot:
    """Where a layer keeps a weight: its name there, and its path from the module."""

    owner: nn.Module
    name: str
    path: str
    tensor: Tensor

    def kind(self, tensor: Tensor) -> Tensor:
        """The tensor as a parameter, where the weight is one."""
        return nn.Parameter(tensor, requires_grad=False) if isinstance(self.tensor, nn.Parameter) else tensor

    def put(self, tensor: Tensor) -> None:
        if isinstance(tensor, nn.Parameter):
            self.owner._parameters[self.name] = tensor
        else:
            self.owner._buffers[self.name] = tensor


def _weight_slots(module: nn.Module) -> Iterator[_Slot]:
    for path, owner in module.named_modules():
        for name, tensor in (*owner._parameters.items(), *owner._buffers.items()):
            if tensor is not None and name not in owner._non_persistent_buffers_set:
                yield _Slot(owner, name, f"{path}.{name}" if path else name, tensor)
