"""Published checkpoints, which are read as if somebody meant harm, and random weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from vidrt.export.checkpoint_files import some_names

from .config import PRESETS, TurboVaedConfig
from .decoder import TurboVaedDecoder

_PREFIX = "decoder."
_TRAINING_ONLY = "aligned_feature_projection_heads."
_STATISTICS = ("latents_mean", "latents_std")
_SHOWN = 4

Shapes = Mapping[str, tuple[int, ...]]


class CheckpointError(Exception):
    """The file cannot be read, or holds other weights than a decoder's."""


@dataclasses.dataclass(frozen=True)
class Decoder:
    """A decoder and the name of its configuration in PRESETS."""

    preset: str
    network: TurboVaedDecoder


def random_decoder(preset: str, seed: int) -> Decoder:
    """A decoder with random weights, the same for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = TurboVaedDecoder(PRESETS[preset])
    return Decoder(preset, network.eval())


def load_decoder(path: Path, preset: str | None) -> Decoder:
    """A decoder with the weights of a checkpoint, computing in float32.

    The file is .safetensors, or what torch.save() makes of a state dict (.pth, .ckpt), of which nothing is executed.
    Its keys are those of the published decoder, or of the whole published autoencoder: then they begin with `decoder.`.

    Args:
        path: The checkpoint.
        preset: Which of PRESETS it is for; None takes the first that it fits.

    Raises:
        CheckpointError: The file is missing or damaged, or its weights are not those of the preset or of any.
    """
    tensors = _decoder_weights(_read(path), path)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    found = fitting_preset(shapes, preset, path)
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
            raise CheckpointError(
                f"{path}: the weight {name} is {tensor.dtype} or holds values that are not finite; expected finite "
                "floating-point numbers. The file is damaged."
            )
    with torch.device("meta"):
        network = TurboVaedDecoder(PRESETS[found])
    network.to_empty(device="cpu")
    with torch.no_grad():
        network.latents_mean.zero_()
        network.latents_std.fill_(1.0)
    network.load_state_dict({**network.state_dict(), **tensors})
    return Decoder(found, network.eval())


def expected_shapes(config: TurboVaedConfig) -> Shapes:
    """The weights of the published decoder by name, the latents' statistics among them."""
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in TurboVaedDecoder(config).state_dict().items()}


def fitting_preset(shapes: Shapes, preset: str | None, path: Path) -> str:
    """The preset whose weights have these names and shapes; the latents' statistics may be missing.

    Args:
        shapes: Of the checkpoint's tensors.
        preset: The only one to try; None tries all.
        path: The checkpoint, for the message.

    Raises:
        CheckpointError: There is none. It says how the checkpoint differs from the nearest.
    """
    candidates = [_difference(name, shapes) for name in (PRESETS if preset is None else [preset])]
    best = min(candidates, key=lambda difference: difference.count)
    if best.count:
        nearest = "" if preset is not None else ", which of all presets it is nearest to"
        raise CheckpointError(f"{path} does not hold the weights of the preset {best.preset}{nearest}: {best}.")
    return best.preset


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the two readers raise whatever they meet
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint ({reason}); expected a .safetensors file, or weights alone as "
            "torch.save() writes a state dict."
        ) from error
    is_state = isinstance(content, dict) and all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in content.items()
    )
    if not is_state or not content:
        inside = ", ".join(map(repr, list(content)[:_SHOWN])) if isinstance(content, dict) else type(content).__name__
        raise CheckpointError(
            f"{path} is no state dict: it holds {inside or 'nothing'}; expected tensors by name. Of a training's "
            "checkpoint, save the decoder's state dict alone."
        )
    return content


def _decoder_weights(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Without the prefix of the whole autoencoder, and without what only training needs."""
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(_TRAINING_ONLY)}
    prefixed = [name for name in kept if name.startswith(_PREFIX)]
    if not prefixed:
        return kept
    plain = [name for name in kept if name not in prefixed and name not in _STATISTICS]
    if plain:
        raise CheckpointError(
            f"{path} has names with and without {_PREFIX!r}, as {prefixed[0]} and {plain[0]}; expected one of the two."
        )
    return {name.removeprefix(_PREFIX): tensor for name, tensor in kept.items()}


@dataclasses.dataclass(frozen=True)
class _Difference:
    """How a checkpoint differs from what a preset has."""

    preset: str
    missing: list[str]
    unexpected: list[str]
    reshaped: list[str]

    @property
    def count(self) -> int:
        return len(self.missing) + len(self.unexpected) + len(self.reshaped)

    def __str__(self) -> str:
        parts = (("missing", self.missing), ("unexpected", self.unexpected), ("of another shape", self.reshaped))
        return "; ".join(f"{len(names)} {what}: {some_names(names)}" for what, names in parts if names)


def _difference(preset: str, shapes: Shapes) -> _Difference:
    expected = expected_shapes(PRESETS[preset])
    return _Difference(
        preset,
        [name for name in expected if name not in shapes and name not in _STATISTICS],
        [name for name in shapes if name not in expected],
        [
            f"{name} {list(shapes[name])} instead of {list(shape)}"
            for name, shape in expected.items()
            if name in shapes and shapes[name] != shape
        ],
    )
