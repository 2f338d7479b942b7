"""The denoiser: diffusers' UNet3DConditionModel, for any number of frames and any size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers import UNet3DConditionModel
from diffusers.models.unets.unet_3d_blocks import CrossAttnDownBlock3D, CrossAttnUpBlock3D, UpBlock3D
from torch import Tensor, nn
from torch.nn import functional as F


class Unet3dDenoiser(nn.Module):
    """Module denoiser: latents (B,C,T,h,w), timestep (B,T), text_embeds (B,L,D) -> prediction (B,C,T,h,w).

    The network takes one timestep a sample: that of the first frame. This is the model's own forward but for what does
    not export: its torch.repeat_interleave over a symbolic number of frames is right for one sample only, and its
    upsampling asks how many frames there are, which would fix their number.

    Args:
        unet: Its weights.
    """

    def __init__(self, unet: UNet3DConditionModel) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, latents: Tensor, timestep: Tensor, text_embeds: Tensor) -> Tensor:
        """One call for all samples of a batch."""
        unet, (batch, _, frames, _, _) = self.unet, latents.shape
        time = _for_each_frame(unet.time_embedding(unet.time_proj(timestep[:, 0])), frames)
        text = _for_each_frame(text_embeds, frames)
        x = unet.conv_in(latents.transpose(1, 2).flatten(0, 1))
        x = unet.transformer_in(x, num_frames=frames, return_dict=False)[0]

        left = [x]
        for block in unet.down_blocks:
            attends = {"encoder_hidden_states": text} if isinstance(block, CrossAttnDownBlock3D) else {}
            x, made = block(x, time, num_frames=frames, **attends)
            left.extend(made)
        x = unet.mid_block(x, time, encoder_hidden_states=text, num_frames=frames)
        for block in unet.up_blocks:
            count = len(block.resnets)
            x = _up(block, x, left[-count:], time, text, frames)
            del left[-count:]
            # A side that halves to an odd number has no twice that fits: the size is that of the way down.
            for upsampler in block.upsamplers or ():
                x = upsampler.conv(F.interpolate(x, size=left[-1].shape[2:], mode="nearest"))

        x = unet.conv_out(unet.conv_act(unet.conv_norm_out(x)))
        return x.unflatten(0, (batch, frames)).transpose(1, 2)


def _up(
    block: CrossAttnUpBlock3D | UpBlock3D,
    x: Tensor,
    left: Sequence[Tensor],
    time: Tensor,
    text: Tensor,
    frames: int,
) -> Tensor:
    """An upsampling block up to its upsampling, with what the way down left behind, the last of it first."""
    attends = isinstance(block, CrossAttnUpBlock3D)
    for index, (resnet, temporal_conv) in enumerate(zip(block.resnets, block.temp_convs, strict=True)):
        x = temporal_conv(resnet(torch.cat((x, left[-1 - index]), dim=1), time), num_frames=frames)
        if attends:
            x = block.attentions[index](x, encoder_hidden_states=text, return_dict=False)[0]
            x = block.temp_attentions[index](x, num_frames=frames, return_dict=False)[0]
    return x


def _for_each_frame(x: Tensor, frames: int) -> Tensor:
    """(B,...) -> (B*T,...): what belongs to a sample, once for each of its frames."""
    return x.unsqueeze(1).expand(x.shape[0], frames, *x.shape[1:]).flatten(0, 1)
