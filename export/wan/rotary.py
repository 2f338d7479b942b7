"""Rotary position embeddings over time, height and width (RoFormer, arXiv 2104.09864; three axes as in Wan)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_THETA = 10000.0
_AXES = ("frames", "rows", "columns")


class RotaryTables(nn.Module):
    """Cosines and sines of every position's angles.

    A head's pairs of channels are shared out among time, height and width as WanRotaryPosEmbed of diffusers does:
    height and width get head_size // 6 pairs each, time the rest.

    Args:
        head_size: Channels of an attention head, even.
        max_positions: Positions along an axis.
    """

    def __init__(self, head_size: int, max_positions: int) -> None:
        super().__init__()
        side = head_size // 6
        # In float64: in float32 an angle of 1000 is off by 6e-5.
        positions = torch.arange(max_positions, dtype=torch.float64)
        for axis, pairs in zip(_AXES, (head_size // 2 - 2 * side, side, side), strict=True):
            exponents = torch.arange(pairs, dtype=torch.float64) / pairs
            angles = torch.outer(positions, _THETA**-exponents)
            self.register_buffer(f"{axis}_cosines", angles.cos().float(), persistent=False)
            self.register_buffer(f"{axis}_sines", angles.sin().float(), persistent=False)

    def forward(self, frames: int, height: int, width: int) -> tuple[Tensor, Tensor]:
        """The tables of a grid of tokens.

        Returns:
            Cosines and sines, each (frames, height * width, head_size / 2).
        """
        return self._grid("cosines", frames, height, width), self._grid("sines", frames, height, width)

    def _grid(self, kind: str, frames: int, height: int, width: int) -> Tensor:
        of_frames, of_rows, of_columns = (self.get_buffer(f"{axis}_{kind}") for axis in _AXES)
        shape = (frames, height, width)
        parts = (
            of_frames[:frames].view(frames, 1, 1, -1).expand(*shape, -1),
            of_rows[:height].view(1, height, 1, -1).expand(*shape, -1),
            of_columns[:width].view(1, 1, width, -1).expand(*shape, -1),
        )
        return torch.cat(parts, dim=3).flatten(1, 2)


def rotate(x: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
    """Turn pairs of neighbouring channels of x (B,S,heads,head_size) by the angles of tables (T,S/T,head_size/2)."""
    cosines, sines = (table.flatten(0, 1).unsqueeze(1) for table in tables)
    even, odd = x.unflatten(-1, (-1, 2)).unbind(-1)
    # Writing into the halves of an empty tensor, as diffusers does, becomes ScatterND.
    return torch.stack((even * cosines - odd * sines, even * sines + odd * cosines), dim=-1).flatten(-2)
