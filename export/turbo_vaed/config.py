"""Configurations: the published ones, a causal one of our own, and one for tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class TurboVaedConfig:
    """Sizes of the decoder.

    Lists have one entry a block and count from the frames inwards, as the published configuration files write them; the
    network runs them from their ends. The lists of convolutions have one more entry, the middle block, as their last.

    Args:
        latent_channels: C of the latents.
        block_out_channels: Width of each up block.
        layers_per_block: Residual blocks in each up block and in the middle block.
        spatio_temporal_scaling: Whether an up block doubles height and width, and time as well.
        spatio_only: Whether an up block that scales leaves time alone.
        is_dw_conv: Whether the convolutions of a block are depthwise followed by pointwise.
        dw_kernel_size: Taps of a depthwise convolution in each direction, odd.
        patch_size: Further upsampling of height and width behind the blocks: 1, 2 or 4.
        single_first_frame: Whether the first latent frame stands for one frame. Else it becomes as many as every other.
        causal: Whether frames depend on no later latent frames. No published configuration is; it has the same weights.
        norm_eps: Of the norms with weights.
    """

    latent_channels: int
    block_out_channels: tuple[int, ...]
    layers_per_block: tuple[int, ...]
    spatio_temporal_scaling: tuple[bool, ...]
    spatio_only: tuple[bool, ...]
    is_dw_conv: tuple[bool, ...]
    dw_kernel_size: int
    patch_size: int
    single_first_frame: bool = True
    causal: bool = False
    norm_eps: float = 1e-6

    @property
    def temporal_ratio(self) -> int:
        """Frames that a latent frame becomes."""
        scaled = zip(self.spatio_temporal_scaling, self.spatio_only, strict=True)
        return 2 ** sum(scales and not only_space for scales, only_space in scaled)

    @property
    def spatial_ratio(self) -> int:
        """Pixels that a latent's side becomes."""
        return int(2 ** sum(self.spatio_temporal_scaling)) * self.patch_size


LTX = TurboVaedConfig(
    latent_channels=128,
    block_out_channels=(64, 128, 256, 512),
    layers_per_block=(3, 2, 3, 1, 1),
    spatio_temporal_scaling=(True, True, True, False),
    spatio_only=(False, False, False, False),
    is_dw_conv=(False, False, False, True, True),
    dw_kernel_size=5,
    patch_size=4,
)
"""For the latents of LTX-Video: 8 frames of 32 x 32 pixels a latent."""

HUNYUAN = TurboVaedConfig(
    latent_channels=16,
    block_out_channels=(16, 32, 256, 512),
    layers_per_block=(5, 4, 4, 4, 5),
    spatio_temporal_scaling=(True, True, True, False),
    spatio_only=(True, False, False, False),
    is_dw_conv=(False, False, False, True, True),
    dw_kernel_size=5,
    patch_size=1,
)
"""For the latents of HunyuanVideo, and in another training for those of CogVideoX: 4 frames of 8 x 8 pixels."""

DC_AE = TurboVaedConfig(
    latent_channels=128,
    block_out_channels=(64, 128, 256, 512),
    layers_per_block=(4, 3, 3, 3, 4),
    spatio_temporal_scaling=(True, True, True, False),
    spatio_only=(True, False, False, False),
    is_dw_conv=(False, False, False, True, True),
    dw_kernel_size=5,
    patch_size=4,
    single_first_frame=False,
)
"""For the latents of a video DC-AE: 4 frames of 32 x 32 pixels, the first latent included."""

PRESETS: Mapping[str, TurboVaedConfig] = {
    "ltx": LTX,
    "hunyuan": HUNYUAN,
    "cogvideox": HUNYUAN,
    "dc-ae": DC_AE,
    "ltx-causal": dataclasses.replace(LTX, causal=True),
}
"""Configurations by name. A checkpoint is taken for the first that it fits, so names of the same network follow one
another; those before `ltx-causal` are published (configs/ of github.com/hustvl/Turbo-VAED)."""

TOY = TurboVaedConfig(
    latent_channels=4,
    block_out_channels=(16, 12),
    layers_per_block=(1, 1, 1),
    spatio_temporal_scaling=(True, True),
    spatio_only=(False, False),
    is_dw_conv=(True, False, True),
    dw_kernel_size=5,
    patch_size=2,
)
"""Every kind of layer at a size for tests: 4 frames of 8 x 8 pixels a latent."""
