"""The denoiser: diffusers' UNet3DConditionModel, for any number of frames and any size."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, cast

import torch
from diffusers import UNet3DConditionModel
from torch import Tensor, nn
from torch.nn import functional as F

from vidrt.export.unet3d.stages import Stages


class Unet3dDenoiser(nn.Module):
    """Module denoiser: latents (B,C,T,h,w), timestep (B,T), text_embeds (B,L,D) -> prediction (B,C,T,h,w).

    The network takes one timestep a sample: that of the first frame. The forward call is written anew from the model's
    layers: its torch.repeat_interleave over a symbolic number of frames is right for one sample only, its upsampling
    asks how many frames there are, which would fix their number, and what follows the resnets is traced once a kind.

    Args:
        unet: Its weights.
    """

    def __init__(self, unet: UNet3DConditionModel) -> None:
        super().__init__()
        self.time_proj, self.time_embedding = unet.time_proj, unet.time_embedding
        self.conv_in, self.transformer_in = unet.conv_in, unet.transformer_in
        self.down = nn.ModuleList(_Level(block, block.downsamplers) for block in unet.down_blocks)
        self.middle = _Level(unet.mid_block, None)
        self.up = nn.ModuleList(_Level(block, block.upsamplers) for block in unet.up_blocks)
        blocks = (*unet.down_blocks, unet.mid_block, *unet.up_blocks)
        self.stages = Stages(blocks, unet.config.cross_attention_dim)
        self.conv_norm_out, self.conv_act, self.conv_out = unet.conv_norm_out, unet.conv_act, unet.conv_out

    def forward(self, latents: Tensor, timestep: Tensor, text_embeds: Tensor) -> Tensor:
        """One call for all samples of a batch."""
        batch, frames = latents.shape[0], latents.shape[2]
        time = _for_each_frame(self.time_embedding(self.time_proj(timestep[:, 0])), frames).flatten(0, 1)
        text = _for_each_frame(text_embeds, frames)
        numbers = itertools.count()

        def residual(resnet: nn.Module, x: Tensor) -> Tensor:
            """A resnet, frame by frame, and the stage behind it."""
            x = self.stages(next(numbers), resnet(x, time).unflatten(0, (batch, frames)), text)
            return x.flatten(0, 1)

        x = self.conv_in(latents.transpose(1, 2).flatten(0, 1))
        x = self.transformer_in(x, num_frames=frames, return_dict=False)[0]
        left = [x]
        for level in cast(Iterable[_Level], self.down):
            for resnet in level.resnets:
                x = residual(resnet, x)
                left.append(x)
            for downsampler in level.samplers:
                x = downsampler(x)
                left.append(x)
        for resnet in self.middle.resnets:
            x = residual(resnet, x)
        for level in cast(Iterable[_Level], self.up):
            for resnet in level.resnets:
                x = residual(resnet, torch.cat((x, left.pop()), dim=1))
            # A side that halves to an odd number has no twice that fits: the size is that of the way down.
            for upsampler in level.samplers:
                x = upsampler.conv(F.interpolate(x, size=left[-1].shape[2:], mode="nearest"))

        x = self.conv_out(self.conv_act(self.conv_norm_out(x)))
        result: Tensor = x.unflatten(0, (batch, frames)).transpose(1, 2)
        return result


class _Level(nn.Module):
    """The resnets of a block, and what changes the size behind them."""

    def __init__(self, block: Any, samplers: nn.ModuleList | None) -> None:
        super().__init__()
        self.resnets: nn.ModuleList = block.resnets
        self.samplers: Any = samplers or nn.ModuleList()


def _for_each_frame(x: Tensor, frames: int) -> Tensor:
    """(B,...) -> (B,T,...): what belongs to a sample, once for each of its frames."""
    return x.unsqueeze(1).expand(x.shape[0], frames, *x.shape[1:])
