"""The VAE's encoder of a guide image: the first, single frame of a clip."""

from __future__ import annotations

from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import patchify
from torch import Tensor, nn

from .latents import statistics


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
        for name, values in statistics(vae).items():
            self.register_buffer(name, values, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Encode images."""
        # With empty caches the layers that halve the number of frames let the first one pass.
        caches: list[Tensor | None] = [None] * self._caches
        x = self.encoder(patchify(image, self.patch_size), feat_cache=caches, feat_idx=[0])
        mode = self.quant_conv(x).chunk(2, dim=1)[0]
        return (mode - self.mean) / self.std
