"""What the trained stages minimise."""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .captions import END, PAD, Attributes, caption, tokenize, vocabulary
from .dataset import DrawnClips
from .denoiser import Denoiser
from .text_encoder import TextEncoder
from .vae import VaeDecoder, VaeEncoder

OBJECT_WEIGHT = 5.0
"""Object pixels are few; without this they would hardly count."""
PROMPT_DROP = 0.12
"""Share of samples trained without a prompt, for classifier-free guidance (Ho and Salimans, 2022)."""
UNKNOWN_RATE = 0.01
"""Share of words replaced by the unknown word, so that its embedding means nothing rather than noise."""


def to_frames(clips: npt.NDArray[np.uint8]) -> Tensor:
    """(B,F,H,W,3) uint8 -> (B,3,F,H,W) float32 in [-1,1]."""
    return torch.from_numpy(np.array(clips)).permute(0, 4, 1, 2, 3).float() / 127.5 - 1.0


REFERENCE_POSITIONS = 5 * 8 * 8
"""Latent positions of a clip of 17 frames of 64x64."""


def pick(clips: list[DrawnClips], generator: torch.Generator) -> DrawnClips:
    """The size of the next batch, by their shares."""
    shares = torch.tensor([one.share for one in clips])
    return clips[int(torch.multinomial(shares, 1, generator=generator))]


def batch_of(batch: int, latents: Tensor) -> int:
    """As many clips as have the latent positions of `batch` clips of 17 frames of 64x64: all steps cost the same."""
    return max(1, round(batch * REFERENCE_POSITIONS / latents[0, 0].numel()))


class Autoencoder(nn.Module):
    """Encoder and decoder trained together."""

    def __init__(self, encoder: VaeEncoder, decoder: VaeDecoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder


def object_weight(masks: npt.NDArray[np.uint8]) -> Tensor:
    """(B,F,H,W) coverage times 255 -> (B,1,F,H,W): OBJECT_WEIGHT on and next to the object, 1 elsewhere."""
    coverage = torch.from_numpy(np.array(masks)).float().unsqueeze(1) / 255.0
    return 1.0 + (OBJECT_WEIGHT - 1.0) * F.max_pool3d(coverage, (1, 5, 5), stride=1, padding=(0, 2, 2))


def pixel_loss(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """0.5 L1 + 2 MSE, weighted."""
    error = (output - target).abs()
    return (weight * (0.5 * error + 2.0 * error.square())).mean()


class AutoencoderLoss:
    """0.5 L1 + 2 MSE with weighted object pixels, a small KL term, and noise on the latents."""

    def __init__(self, frames: npt.NDArray[np.uint8], masks: npt.NDArray[np.uint8], batch: int) -> None:
        self.frames = frames
        self.masks = masks
        self.batch = batch

    def __call__(self, module: nn.Module, generator: torch.Generator) -> Tensor:
        """The loss of one random batch."""
        assert isinstance(module, Autoencoder)
        indices = torch.randint(len(self.frames), (self.batch,), generator=generator).sort().values.numpy()
        target = to_frames(self.frames[indices])
        weight = object_weight(self.masks[indices])
        with torch.autocast("cpu", torch.bfloat16):
            mean, log_variance = module.encoder(target)
            mean, log_variance = mean.float(), log_variance.float()
            noise = torch.randn(mean.shape, generator=generator)
            output = module.decoder.decode_raw(mean + noise * (0.5 * log_variance).exp()).float()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).mean()
        return pixel_loss(output, target, weight) + 5e-4 * kl


def change_error(output: Tensor, target: Tensor, dim: int) -> Tensor:
    """L1 between the changes from neighbour to neighbour along a dimension; 0 where there is no neighbour."""
    error = (output - target).diff(dim=dim).abs()
    return error.mean() if error.numel() else error.sum()


class DecoderLoss:
    """For the decoder alone, latents fixed: pixels, edges and changes in time, under noise on the latents.

    The denoiser's latents are never exact: a decoder that has seen noise draws still backgrounds and sharp edges from
    them. The noise is up to LATENT_NOISE of the latents' deviation.
    """

    LATENT_NOISE = 0.15

    def __init__(self, clips: list[DrawnClips], batch: int) -> None:
        self.clips = clips
        self.batch = batch

    def __call__(self, module: nn.Module, generator: torch.Generator) -> Tensor:
        """The loss of one random batch."""
        assert isinstance(module, VaeDecoder)
        clips = pick(self.clips, generator)
        batch = batch_of(self.batch, clips.latents)
        indices = torch.randint(len(clips.latents), (batch,), generator=generator).sort().values
        latents = clips.latents[indices]
        level = self.LATENT_NOISE * torch.rand(batch, generator=generator)
        noisy = latents + level.view(-1, 1, 1, 1, 1) * torch.randn(latents.shape, generator=generator)
        target, weight = to_frames(clips.frames[indices.numpy()]), object_weight(clips.masks[indices.numpy()])
        with torch.autocast("cpu", torch.bfloat16):
            output = module.decode_raw(module.denormalise(noisy)).float()
        time, down, across = (change_error(output, target, dim) for dim in (2, 3, 4))
        return pixel_loss(output, target, weight) + 2.0 * time + down + across


class TextToLatents(nn.Module):
    """Text encoder and denoiser trained together."""

    def __init__(self, text_encoder: TextEncoder, denoiser: Denoiser) -> None:
        super().__init__()
        self.text_encoder = text_encoder
        self.denoiser = denoiser


class FlowLoss:
    """Rectified flow (Liu et al., 2022) with logit-normal noise levels (Esser et al., 2024, section 3.1).

    Every batch is of one size, drawn anew; `batch` as batch_of() takes it.
    """

    def __init__(self, clips: list[DrawnClips], batch: int, max_length: int) -> None:
        self.clips = clips
        self.batch = batch
        self.max_length = max_length
        self.words = {word: index for index, word in enumerate(vocabulary())}

    def tokens(self, attributes: list[Attributes], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A random caption of each clip as ids and mask, (B,L) each, as long as the longest of them."""
        rng = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
        rows = []
        for one in attributes:
            ids = tokenize(caption(one, rng), self.words, self.max_length)
            ids = [1 if token > END and rng.random() < UNKNOWN_RATE else token for token in ids]
            rows.append([END] if rng.random() < PROMPT_DROP else ids)
        length = max(len(row) for row in rows)
        padded = torch.tensor([row + [PAD] * (length - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
        return padded, mask

    def __call__(self, module: nn.Module, generator: torch.Generator) -> Tensor:
        """The loss of one random batch."""
        assert isinstance(module, TextToLatents)
        clips = pick(self.clips, generator)
        batch = batch_of(self.batch, clips.latents)
        indices = torch.randint(len(clips.latents), (batch,), generator=generator)
        clean = clips.latents[indices]
        ids, mask = self.tokens([clips.attributes[index] for index in indices.tolist()], generator)
        sigma = torch.sigmoid(torch.randn(batch, generator=generator) + 0.4)
        noise = torch.randn(clean.shape, generator=generator)
        level = sigma.view(-1, 1, 1, 1, 1)
        noisy = (1 - level) * clean + level * noise
        timestep = (1000.0 * sigma).unsqueeze(1).expand(-1, clean.shape[2])
        with torch.autocast("cpu", torch.bfloat16):
            embeds = module.text_encoder(ids, mask)
            prediction = module.denoiser(noisy, timestep, embeds, mask).float()
        return F.mse_loss(prediction, noise - clean)
