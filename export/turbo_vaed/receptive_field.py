"""How far from a latent frame the frames that it becomes look."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from .config import TurboVaedConfig


@dataclasses.dataclass(frozen=True)
class _Conv:
    """A convolution over time that reads this many frames before and after the one it makes."""

    before: int
    after: int


@dataclasses.dataclass(frozen=True)
class _Double:
    """Twice the frames; a single first frame has dropped the one before it."""

    dropped: int


def _time_layers(config: TurboVaedConfig) -> Iterator[_Conv | _Double]:
    """What the decoder does along time, in its order."""

    def conv(kernel: int, count: int) -> Iterator[_Conv]:
        after = 0 if config.causal else kernel // 2
        return (_Conv(kernel - 1 - after, after) for _ in range(count))

    def residual(separable: bool, count: int) -> Iterator[_Conv]:
        return conv(config.dw_kernel_size if separable else 3, 2 * count)

    width, separable = config.block_out_channels[-1], config.is_dw_conv[::-1]
    layers = config.layers_per_block[::-1]
    yield from conv(3, 1)
    yield from residual(separable[0], layers[0])
    for i, outputs in enumerate(config.block_out_channels[::-1]):
        yield from residual(separable[i + 1], int(outputs != width))
        if config.spatio_temporal_scaling[::-1][i]:
            yield from conv(3, 1)
            if not config.spatio_only[::-1][i]:
                yield _Double(int(config.single_first_frame))
        yield from residual(separable[i + 1], layers[i + 1])
        width = outputs
    yield from conv(3, 1)


def receptive_field(config: TurboVaedConfig) -> tuple[int, int]:
    """Latent frames before and after a latent frame that the frames it becomes depend on, away from a clip's ends.

    At the ends a clip is continued by its repeated first and last frames, in every layer anew. A chunk of a clip that
    holds so many latent frames more at each side, or ends where the clip ends, therefore gives the whole clip's frames.
    """
    layers = list(_time_layers(config))
    ratio = config.temporal_ratio
    # Of a latent far from the clip's start, whose frames are the ratio's worth from here on.
    latent = 1000
    first = ratio * latent - (ratio - 1 if config.single_first_frame else 0)
    last = first + ratio - 1
    for layer in reversed(layers):
        if isinstance(layer, _Conv):
            first, last = first - layer.before, last + layer.after
        else:
            first, last = (first + layer.dropped) // 2, (last + layer.dropped) // 2
    return latent - first, last - latent
