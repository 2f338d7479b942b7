"""Videos that begin with an image against diffusers' WanImageToVideoPipeline with expand_timesteps.

Its own loop runs over networks of a few numbers, which stand for the transformer and the autoencoder and are exported.
"""

import contextlib
import dataclasses
import json
import types

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler, WanImageToVideoPipeline
from torch import nn

import vidrt
from vidrt.export.exporter import export_bundle
from vidrt.export.options import ExportOptions
from vidrt.export.samples import uniform
from vidrt.export.spec import Extent, Limit, ModuleSpec, Part, TensorSpec

CHANNELS, FRAMES, SIDE, STEPS, GUIDANCE = 2, 5, 16, 6, 3.0
SCHEDULERS = (
    FlowMatchEulerDiscreteScheduler(shift=3.0),
    UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, solver_order=2),
)


class MixingDenoiser(nn.Module):
    """Every frame reads its neighbours, so that what stands in the first frame reaches all others."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(CHANNELS, CHANNELS, (3, 1, 1), padding=(1, 0, 0))
        self.text = nn.Linear(4, CHANNELS)

    def forward(self, latents, timestep, text_embeds):
        told = self.text(text_embeds.mean(dim=1)).view(-1, CHANNELS, 1, 1, 1)
        return torch.tanh(self.conv(latents)) + told * (timestep / 1000.0)[:, None, :, None, None]


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(3, CHANNELS, 1)

    def forward(self, image):
        return self.conv(image)


class Transformer(nn.Module):
    """The denoiser as WanTransformer3DModel is called: a timestep for each token of 2x2 latent pixels."""

    def __init__(self, denoiser):
        super().__init__()
        self.denoiser = denoiser
        self.config = types.SimpleNamespace(patch_size=(1, 2, 2), image_dim=None)
        self.dtype, self.device = torch.float32, torch.device("cpu")

    def cache_context(self, name):
        return contextlib.nullcontext()

    def forward(self, hidden_states, timestep, encoder_hidden_states, **ignored):
        frames = timestep.reshape(timestep.shape[0], hidden_states.shape[2], -1)
        assert (frames == frames[..., :1]).all()
        return (self.denoiser(hidden_states, frames[..., 0], encoder_hidden_states),)


class Autoencoder(nn.Module):
    """The encoder as AutoencoderKLWan is called."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder
        self.dtype, self.device = torch.float32, torch.device("cpu")
        self.config = types.SimpleNamespace(
            z_dim=CHANNELS,
            scale_factor_temporal=1,
            scale_factor_spatial=1,
            latents_mean=[0.0] * CHANNELS,
            latents_std=[1.0] * CHANNELS,
        )

    def encode(self, video):
        mode = self.encoder(video)
        return types.SimpleNamespace(latent_dist=types.SimpleNamespace(mode=lambda: mode))


@pytest.fixture
def image_spec(miniature, with_module):
    """A miniature whose denoiser mixes frames, with an image encoder."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        denoiser, encoder = MixingDenoiser(), Encoder()
    spec = with_module(miniature, "denoiser", build=lambda: denoiser)
    sizes = {"B": 1, "h": 4, "w": 5}
    encoder_spec = ModuleSpec(
        name="vae_encoder",
        build=lambda: encoder,
        inputs=(TensorSpec("image", "float32", ("B", 3, 1, "h", "w"), uniform(-1.0, 1.0)),),
        outputs=(TensorSpec("latents", "float32", ("B", CHANNELS, 1, "h", "w")),),
        extents={symbol: Extent(1, SIDE) for symbol in sizes},
        trace={"B": 2, "h": 4, "w": 5},
        cases=(sizes,),
        tolerance={"fp32": 1e-5},
    )
    side = Limit(2, SIDE, 1, (2, SIDE))
    networks = {**spec.networks, "denoiser": denoiser, "vae_encoder": encoder}
    return dataclasses.replace(
        spec,
        parts=(Part(networks, (*spec.modules, encoder_spec)),),
        limits={**spec.limits, "height": side, "width": side},
        image_conditioning="first_latent_frame",
    )


def frames_of_diffusers(networks, scheduler, image, latents, embeds):
    pipe = WanImageToVideoPipeline(
        tokenizer=None,
        text_encoder=None,
        vae=Autoencoder(networks["vae_encoder"]),
        scheduler=scheduler,
        transformer=Transformer(networks["denoiser"]),
        expand_timesteps=True,
    )
    pipe.set_progress_bar_config(disable=True)
    positive, negative = (torch.from_numpy(np.array(one.text_embeds))[None] for one in embeds)
    made = pipe(
        image=torch.from_numpy(image).permute(2, 0, 1)[None] / 255.0,
        prompt_embeds=positive,
        negative_prompt_embeds=negative,
        height=SIDE,
        width=SIDE,
        num_frames=FRAMES - 1,  # with a temporal ratio of 1 the pipeline rounds up to one more
        num_inference_steps=STEPS,
        guidance_scale=GUIDANCE,
        latents=torch.from_numpy(latents)[None],
        output_type="latent",
    ).frames
    frames = networks["vae_decoder"](made)[0].permute(1, 2, 3, 0)
    return (frames / 2 + 0.5).clamp(0, 1).numpy()


def set_scheduler(bundle, scheduler):
    """Exporting takes longer than all else here: the bundle stays, its scheduler changes."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    config = {key: value for key, value in scheduler.config.items() if not key.startswith("_")}
    manifest["scheduler"] = {**config, "_class_name": type(scheduler).__name__}
    (bundle / "manifest.json").write_text(json.dumps(manifest))


@torch.no_grad()
def test_frames_are_those_of_diffusers(image_spec, tmp_path):
    export_bundle(image_spec, tmp_path / "bundle", ExportOptions())
    generator = np.random.default_rng(3)
    image = generator.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    latents = generator.standard_normal((CHANNELS, FRAMES, SIDE, SIDE)).astype(np.float32)
    for scheduler in SCHEDULERS:
        set_scheduler(tmp_path / "bundle", scheduler)
        pipe = vidrt.ImageToVideoPipeline(tmp_path / "bundle", threads=1)
        embeds = [pipe.encode_prompt(text) for text in ("a a", "")]
        settings = {
            "height": SIDE,
            "width": SIDE,
            "num_frames": FRAMES,
            "num_inference_steps": STEPS,
            "guidance_scale": GUIDANCE,
            "latents": latents,
            "prompt_embeds": embeds[0],
            "negative_prompt_embeds": embeds[1],
            "output_type": "float32",
            "on_warning": lambda message: None,
        }
        expected = frames_of_diffusers(image_spec.networks, scheduler, image, latents, embeds)
        frames = pipe(image=image, **settings).frames
        assert frames.shape == expected.shape
        assert np.abs(frames - expected).max() <= 1e-3, type(scheduler)
        assert frames.std() > 0.04  # neither grey nor saturated
        text = vidrt.TextToVideoPipeline(tmp_path / "bundle", threads=1)(**settings).frames
        assert np.abs(text[1:] - expected[1:]).max() > 0.04
