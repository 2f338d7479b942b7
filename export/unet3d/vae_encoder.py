"""The VAE's encoder: that of AutoencoderKL, which encodes every frame by itself."""

from __future__ import annotations

from diffusers import AutoencoderKL
from torch import Tensor, nn


class FramewiseEncoder(nn.Module):
    """Module vae_encoder: image (B,3,1,H,W) in [-1,1] -> latents (B,C,1,h,w), the mode, in the denoiser's space.

    Args:
        vae: The autoencoder, of which only the encoder's part is kept.
    """

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.encoder = vae.encoder
        self.quant_conv = nn.Identity() if vae.quant_conv is None else vae.quant_conv
        self.scale: float = vae.config.scaling_factor

    def forward(self, image: Tensor) -> Tensor:
        """Encode images."""
        mode = self.quant_conv(self.encoder(image.squeeze(2))).chunk(2, dim=1)[0]
        return mode.unsqueeze(2) * self.scale
