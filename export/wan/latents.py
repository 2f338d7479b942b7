"""What lies between the denoiser's latents and the VAE's own."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKLWan
from torch import Tensor


def statistics(vae: AutoencoderKLWan) -> dict[str, Tensor]:
    """Mean and standard deviation of the VAE's latents, each (1,C,1,1,1): `mean` and `std`."""
    mean, std = torch.tensor([vae.config.latents_mean, vae.config.latents_std]).view(2, 1, -1, 1, 1, 1)
    return {"mean": mean, "std": std}
