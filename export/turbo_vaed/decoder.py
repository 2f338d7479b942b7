"""The decoder: latents to frames, as a whole clip or, where it is causal, step by step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import TurboVaedConfig
from .layers import ChannelLayerNorm, DenseConv, FrameCaches, FrameUpsampler, SeparableConv, rms_norm, shuffle_up


@dataclasses.dataclass(frozen=True)
class BlockConfig:
    """What the residual blocks of one block share."""

    separable: bool
    dw_kernel_size: int
    causal: bool
    norm_eps: float

    def conv(self, inputs: int, outputs: int, *, point: bool = False) -> DenseConv | SeparableConv:
        """A convolution of the block's kind; `point` gives it one tap in each direction."""
        if self.separable:
            return SeparableConv(inputs, outputs, 1 if point else self.dw_kernel_size, self.causal)
        return DenseConv(inputs, outputs, 1 if point else 3, self.causal)


class ResidualBlock(nn.Module):
    """shortcut(x) + conv2(silu(norm(conv1(activation(norm(x))))))."""

    def __init__(
        self, block: BlockConfig, inputs: int, outputs: int, activation: Callable[[Tensor], Tensor] = F.silu
    ) -> None:
        super().__init__()
        self.activation = activation
        self.conv1 = block.conv(inputs, outputs)
        self.conv2 = block.conv(outputs, outputs)
        widens = inputs != outputs
        self.norm3 = ChannelLayerNorm(inputs, block.norm_eps) if widens else None
        self.conv_shortcut = block.conv(inputs, outputs, point=True) if widens else None

    def forward(self, x: Tensor, caches: FrameCaches | None = None) -> Tensor:
        """(B,inputs,T,H,W) -> (B,outputs,T,H,W)."""
        y = self.conv1(self.activation(rms_norm(x)), caches)
        y = self.conv2(F.silu(rms_norm(y)), caches)
        if self.norm3 is not None and self.conv_shortcut is not None:
            x = self.conv_shortcut(self.norm3(x))
        return y + x


class MiddleBlock(nn.Module):
    """Residual blocks at the latents' resolution."""

    def __init__(self, block: BlockConfig, channels: int, layers: int) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(ResidualBlock(block, channels, channels) for _ in range(layers))

    def forward(self, x: Tensor, caches: FrameCaches | None = None) -> Tensor:
        """Shape unchanged."""
        for resnet in self.resnets:
            x = resnet(x, caches)
        return x


class Upsampler(nn.Module):
    """A convolution and a pixel shuffle: twice the height and width, and `time` times the frames."""

    def __init__(self, channels: int, time: int, causal: bool, single_first_frame: bool) -> None:
        super().__init__()
        self.time = time
        self.single_first_frame = single_first_frame
        self.conv = DenseConv(channels, 4 * time * channels, 3, causal)

    def forward(self, x: Tensor, caches: FrameCaches | None = None) -> Tensor:
        """(B,C,T,H,W) -> (B,C,T*time,2H,2W), without what would come before a clip's single first frame."""
        x = shuffle_up(self.conv(x, caches), self.time)
        starts_clip = caches is None or caches.at_start
        return x[:, :, self.time - 1 :] if self.single_first_frame and starts_clip else x


class UpBlock(nn.Module):
    """Widen or narrow, upsample, then residual blocks, the first activation of which is a ReLU behind an upsampler."""

    def __init__(self, block: BlockConfig, inputs: int, outputs: int, layers: int, upsampler: Upsampler | None) -> None:
        super().__init__()
        self.conv_in = ResidualBlock(block, inputs, outputs) if inputs != outputs else None
        self.upsamplers = None if upsampler is None else nn.ModuleList([upsampler])
        activation = F.silu if upsampler is None else F.relu
        self.resnets = nn.ModuleList(ResidualBlock(block, outputs, outputs, activation) for _ in range(layers))

    def forward(self, x: Tensor, caches: FrameCaches | None = None) -> Tensor:
        """(B,inputs,T,H,W) -> (B,outputs,T',H',W')."""
        if self.conv_in is not None:
            x = self.conv_in(x, caches)
        for upsampler in self.upsamplers or ():
            x = upsampler(x, caches)
        for resnet in self.resnets:
            x = resnet(x, caches)
        return x


class TurboVaedDecoder(nn.Module):
    """Latents to frames. Parameters carry the names of the published checkpoints.

    latents_mean and latents_std lead from the latents that it is given to those it was trained on; in the published
    code they are 0 and 1.
    """

    latents_mean: Tensor
    latents_std: Tensor

    def __init__(self, config: TurboVaedConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("latents_mean", torch.zeros(config.latent_channels))
        self.register_buffer("latents_std", torch.ones(config.latent_channels))

        def block(separable: bool) -> BlockConfig:
            return BlockConfig(separable, config.dw_kernel_size, config.causal, config.norm_eps)

        widths, layers = config.block_out_channels[::-1], config.layers_per_block[::-1]
        separable = config.is_dw_conv[::-1]
        scaling, only_space = config.spatio_temporal_scaling[::-1], config.spatio_only[::-1]
        width = widths[0]
        self.conv_in = DenseConv(config.latent_channels, width, 3, config.causal)
        self.mid_block = MiddleBlock(block(separable[0]), width, layers[0])
        self.up_blocks = nn.ModuleList()
        for i, outputs in enumerate(widths):
            time = 1 if only_space[i] else 2
            up = Upsampler(outputs, time, config.causal, config.single_first_frame) if scaling[i] else None
            self.up_blocks.append(UpBlock(block(separable[i + 1]), width, outputs, layers[i + 1], up))
            width = outputs
        self.upsampler2d_1 = FrameUpsampler(width) if config.patch_size >= 2 else None
        self.upsampler2d_2 = FrameUpsampler(width // 4) if config.patch_size >= 4 else None
        self.conv_out = DenseConv(width // config.patch_size**2, 3, 3, config.causal)

    def _decode(self, latents: Tensor, caches: FrameCaches | None) -> Tensor:
        mean, std = (value.view(1, -1, 1, 1, 1) for value in (self.latents_mean, self.latents_std))
        x = self.conv_in(latents * std + mean, caches)
        x = self.mid_block(x, caches)
        for block in self.up_blocks:
            x = block(x, caches)
        for upsampler in (self.upsampler2d_1, self.upsampler2d_2):
            if upsampler is not None:
                x = upsampler(F.silu(rms_norm(x)))
        return self.conv_out(F.silu(rms_norm(x)), caches).clamp(-1.0, 1.0)

    def forward(self, latents: Tensor) -> Tensor:
        """Decode a whole clip: (B,C,T,h,w) -> (B,3,F,H,W) in [-1,1], F = r(T-1) + 1 or rT frames."""
        return self._decode(latents, None)

    def step(self, latents: Tensor, before: Sequence[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        """Decode the next k latent frames of a clip; for a causal configuration.

        Args:
            latents: (B,C,k,h,w), k >= 1.
            before: The caches of the step before; None at the start of the clip.

        Returns:
            Frames (B,3,F,H,W), F = r(k-1) + 1 at the start and rk later, and the caches for the next step.
        """
        assert self.config.causal
        caches = FrameCaches(before)
        return self._decode(latents, caches), caches.kept
