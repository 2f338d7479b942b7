"""The VAE's encoder of a guide image: the first, single frame of a clip."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import patchify
from torch import Tensor, nn


class WanVaeEncoder(nn.Module):
    """Module vae_encoder: image (B,3,1,H,W) in [-1,1] -> latents (B,C,1,h,w), the mode, in the denoiser's space.

    Args:
        vae: The autoencoder, of which only the encoder's part is kept.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, vae: AutoencoderKLWan) -> None:
        super().__init__()
        self.encoder = vae.encoder
        self.quant_conv = vae.quant_conv
        self.patch_size: int = vae.config.patch_size or 1
        self._caches = vae._cached_conv_counts["encoder"]
        statistics = torch.tensor([vae.config.latents_mean, vae.config.latents_std]).view(2, 1, -1, 1, 1, 1)
        self.register_buffer("mean", statistics[0], persistent=False)
        self.register_buffer("std", statistics[1], persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Encode images."""
        # With empty caches the layers that halve the number of frames let the first one pass.
        caches: list[Tensor | None] = [None] * self._caches
        x = self.encoder(patchify(image, self.patch_size), feat_cache=caches, feat_idx=[0])
        mode = self.quant_conv(x).chunk(2, dim=1)[0]
        return (mode - self.mean) / self.std
