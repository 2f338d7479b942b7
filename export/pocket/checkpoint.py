"""The shipped weights: one safetensors file for all networks, and networks made from it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vidrt.export.errors import CheckpointError

from .config import DenoiserConfig, PocketConfig, TextConfig, VaeConfig
from .denoiser import Denoiser
from .text_encoder import TextEncoder
from .vae import VaeDecoder, VaeEncoder


@dataclasses.dataclass(frozen=True)
class Networks:
    """What a bundle is made of."""

    config: PocketConfig
    text_encoder: TextEncoder
    denoiser: Denoiser
    vae_decoder: VaeDecoder
    vae_encoder: VaeEncoder

    def named(self) -> dict[str, nn.Module]:
        """The networks by the prefix of their weights."""
        return {
            "text_encoder": self.text_encoder,
            "denoiser": self.denoiser,
            "vae_decoder": self.vae_decoder,
            "vae_encoder": self.vae_encoder,
        }


def random_networks(config: PocketConfig, seed: int) -> Networks:
    """Networks with random weights, the same for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        networks = Networks(
            config,
            TextEncoder(config.text),
            Denoiser(config.denoiser),
            VaeDecoder(config.vae),
            VaeEncoder(config.vae),
        )
    for network in networks.named().values():
        network.eval()
    return networks


def save_networks(path: Path, networks: Networks) -> None:
    """Write weights rounded to float16, under a temporary name first."""
    tensors = {
        f"{prefix}.{name}": value.to(torch.float16).contiguous()
        for prefix, network in networks.named().items()
        for name, value in network.state_dict().items()
    }
    temporary = path.with_name(path.name + ".tmp")
    save_file(tensors, temporary, metadata={"config": json.dumps(dataclasses.asdict(networks.config))})
    temporary.replace(path)


def load_networks(path: Path) -> Networks:
    """Networks from a file of save_networks(), computing in float32 with the rounded weights.

    Raises:
        CheckpointError: the file is missing, damaged, or of other networks.
    """
    try:
        with safe_open(path, framework="pt") as file:
            config = _config_from_json((file.metadata() or {})["config"])
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _networks_from(config, tensors)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} is not a pocket checkpoint ({error}); expected a file that pocket training wrote."
        ) from error


def bundle_networks(folder: Path, config: PocketConfig) -> Networks:
    """Networks of a pocket bundle, computing in float32 with the weights as the bundle stores them.

    Raises:
        CheckpointError: the folder holds no weights of these networks.
    """
    try:
        (weights,) = (folder / "weights").glob("*.safetensors")
        return _networks_from(config, load_file(weights))
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{folder} is not a pocket bundle of this version ({error}).") from error


def _networks_from(config: PocketConfig, tensors: dict[str, Tensor]) -> Networks:
    networks = random_networks(config, seed=0)
    for prefix, network in networks.named().items():
        own = {name: value.float() for name, value in tensors.items() if name.startswith(prefix + ".")}
        network.load_state_dict({name.removeprefix(prefix + "."): value for name, value in own.items()})
    return networks


def _config_from_json(text: str) -> PocketConfig:
    data = json.loads(text)
    vae = data["vae"]
    widths, blocks = tuple(vae.pop("widths")), tuple(vae.pop("blocks"))
    if len(widths) != 3 or len(blocks) != 3:
        raise ValueError(f"the VAE has {len(widths)} widths and {len(blocks)} counts of blocks, expected 3 each")
    return PocketConfig(
        TextConfig(**data["text"]),
        VaeConfig(widths=widths, blocks=blocks, **vae),
        DenoiserConfig(**data["denoiser"]),
    )
