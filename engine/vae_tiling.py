"""Decoding frames in tiles that overlap and are blended."""

from __future__ import annotations

from dataclasses import dataclass

from vidrt import _core
from vidrt.engine.checks import INT32_MAX, integer, text, what
from vidrt.engine.errors import InvalidArgument

TILE_SIZES = (
    "tile_sample_min_height",
    "tile_sample_min_width",
    "tile_sample_stride_height",
    "tile_sample_stride_width",
)


@dataclass(frozen=True)
class VaeTiling:
    """How frames are cut for the decoder (docs/vae_tiling.md). Names are those of diffusers.

    Sizes are pixels, multiples of the bundle's spatial ratio.

    Attributes:
        mode: "on", "off", or "auto": in tiles where whole frames do not fit the memory that the plan has.
        tile_sample_min_height: Of a tile; None takes 256, or the nearest below that the bundle takes.
        tile_sample_min_width: Likewise.
        tile_sample_stride_height: From a tile to the next, at most; None takes three quarters of the tile.
        tile_sample_stride_width: Likewise.
    """

    mode: str = "auto"
    tile_sample_min_height: int | None = None
    tile_sample_min_width: int | None = None
    tile_sample_stride_height: int | None = None
    tile_sample_stride_width: int | None = None

    def to_core(self) -> _core.VaeTiling:
        """Build the core's options. Raises InvalidArgument for a wrong type or range."""
        core = _core.VaeTiling()
        core.mode = text("vae_tiling", self.mode)
        for name in TILE_SIZES:
            value = getattr(self, name)
            if value is not None:
                setattr(core, name, integer(name, value, 1, INT32_MAX))
        return core


def tiling_to_core(value: VaeTiling | str | None) -> _core.VaeTiling:
    """What an option vae_tiling says, of which a string is the mode and None all defaults. Raises InvalidArgument."""
    if value is None or isinstance(value, str):
        value = VaeTiling() if value is None else VaeTiling(value)
    if not isinstance(value, VaeTiling):
        raise InvalidArgument(f"vae_tiling must be 'auto', 'on', 'off' or a VaeTiling, got {what(value)}.")
    return value.to_core()
