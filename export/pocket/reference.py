"""The pocket networks run by PyTorch with diffusers' scheduler: what the core's frames and speed are compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from vidrt.engine.bundle import Bundle

from .checkpoint import Networks


class ReferencePipeline:
    """Prompt to frames in PyTorch, stage by stage."""

    def __init__(self, networks: Networks, bundle: Bundle) -> None:
        self.networks = networks
        self.tokenizer = bundle.tokenizer
        self.length = bundle.manifest.tokenizer.max_length

    @torch.inference_mode()
    def encode(self, prompt: str, negative_prompt: str = "") -> tuple[Tensor, Tensor]:
        """Embeddings (2,L,D) and mask (2,L), the negative prompt first."""
        rows = [self.tokenizer.encode(text).ids for text in (negative_prompt, prompt)]
        ids = torch.tensor([[*row, *[0] * (self.length - len(row))] for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (self.length - len(row)) for row in rows])
        return self.networks.text_encoder(ids, mask), mask

    @torch.inference_mode()
    def denoise(self, latents: Tensor, embeds: Tensor, mask: Tensor, steps: int, guidance: float) -> Tensor:
        """Initial latents (1,C,T,h,w) to denoised ones; guidance of at most 1 runs the prompt alone."""
        scheduler: Any = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=2.0)
        scheduler.set_timesteps(steps)
        rows = slice(0, 2) if guidance > 1 else slice(1, 2)
        embeds, mask = embeds[rows], mask[rows]
        for timestep in scheduler.timesteps:
            batch = latents.expand(len(embeds), -1, -1, -1, -1)
            prediction = self.networks.denoiser(batch, timestep.expand(len(embeds), latents.shape[2]), embeds, mask)
            if guidance > 1:
                negative, positive = prediction.chunk(2)
                prediction = negative + guidance * (positive - negative)
            latents = scheduler.step(prediction, timestep, latents).prev_sample
        return latents

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> npt.NDArray[np.uint8]:
        """Denoised latents (1,C,T,h,w) to frames (F,H,W,3) uint8."""
        return np.rint(self.decode_floats(latents) * 255).astype(np.uint8)

    @torch.inference_mode()
    def decode_floats(self, latents: Tensor) -> npt.NDArray[np.float32]:
        """Denoised latents (1,C,T,h,w) to frames (F,H,W,3) float32 in [0,1]."""
        frames: Tensor = self.networks.vae_decoder(latents)[0].permute(1, 2, 3, 0)
        return (frames * 0.5 + 0.5).clamp(0, 1).numpy()
