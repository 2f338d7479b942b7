"""Turbo-VAED as a bundle: a decoder alone, as a whole or in steps, with PyTorch's frames."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch

import vidrt
from vidrt.engine.builder import Range
from vidrt.export import cli
from vidrt.export.models.turbo_vaed import load
from vidrt.export.registry import ModelSource
from vidrt.export.turbo_vaed.checkpoint import load_decoder, random_decoder
from vidrt.export.turbo_vaed.config import PRESETS, TOY
from vidrt.export.turbo_vaed.decoder import TurboVaedDecoder
from vidrt.export.turbo_vaed.receptive_field import receptive_field

TOLERANCE = 1e-3  # of levels from 0 to 1, in fp32


@dataclasses.dataclass(frozen=True)
class Exported:
    """A bundle, and the network with the weights as they were rounded for it."""

    path: Path
    network: TurboVaedDecoder

    def manifest(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.path / "manifest.json").read_text())
        return content

    def pipeline(self) -> vidrt.TextToVideoPipeline:
        return vidrt.TextToVideoPipeline(self.path, threads=1)

    def latents(self, frames: int, height: int = 2, width: int = 3) -> npt.NDArray[np.float32]:
        shape = (TOY.latent_channels, frames, height, width)
        return np.random.default_rng(2).standard_normal(shape, dtype=np.float32)

    def expected(self, latents: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        with torch.no_grad():
            frames = self.network(torch.from_numpy(latents).unsqueeze(0))[0]
        levels: npt.NDArray[np.float32] = (frames / 2 + 0.5).clamp(0, 1).permute(1, 2, 3, 0).numpy()
        return levels


def difference(got: npt.NDArray[Any], expected: npt.NDArray[np.float32]) -> float:
    assert got.shape == expected.shape
    assert got.dtype == np.float32
    assert expected.std() > 0.08, "a flat clip would prove nothing"
    return float(np.abs(got - expected).max())


@pytest.fixture(scope="module", autouse=True)
def toy_presets() -> Any:
    """The toy as two more configurations that a checkpoint may be for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "toy", TOY)
        patch.setitem(PRESETS, "toy-causal", dataclasses.replace(TOY, causal=True))
        yield


@pytest.fixture(scope="module", params=["toy", "toy-causal"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Each form, exported by the command from a published file of the toy's weights."""
    folder = tmp_path_factory.mktemp("turbo_vaed")
    checkpoint = folder / "decoder.pth"
    torch.save(random_decoder("toy", seed=4).network.state_dict(), checkpoint)
    arguments = ["turbo_vaed", str(checkpoint), str(folder / "bundle"), "--preset", request.param]
    assert cli.main([*arguments, "--precision", "fp16", "--json"]) == 0
    network = load_decoder(checkpoint, request.param).network
    for tensor in network.state_dict().values():
        tensor.copy_(tensor.half().float())
    return Exported(folder / "bundle", network)


def test_the_manifest_says_what_the_decoder_is(exported: Exported) -> None:
    manifest = exported.manifest()
    causal = exported.network.config.causal
    assert manifest["name"] == ("turbo-vaed-toy-causal" if causal else "turbo-vaed-toy")
    assert manifest["family"] == "turbo_vaed"
    assert "checkpoint" in manifest["license"]
    assert not {"tokenizer", "scheduler", "guidance", "text", "image_conditioning"} & set(manifest)
    assert manifest["limits"]["num_frames"] == {"min": 1, "max": 513, "step": 4, "measured": None}
    vae = {"temporal_ratio": 4, "spatial_ratio": 8, "latent_channels": 4}
    if causal:
        assert manifest["vae"] == {"form": "causal", **vae}
        assert sorted(manifest["modules"]) == ["vae_decoder_first", "vae_decoder_next"]
    else:
        field = list(receptive_field(TOY))
        assert manifest["vae"] == {"form": "whole", **vae, "single_first_frame": True, "receptive_field": field}
        assert sorted(manifest["modules"]) == ["vae_decoder"]


def test_parity_was_measured_over_several_shapes(exported: Exported) -> None:
    for module in exported.manifest()["modules"].values():
        for variant in module["variants"]:
            parity = variant["parity"]
            low = variant["precision"] == "fp16"
            assert 0.0 < parity["max_abs"] <= parity["tolerance"] <= (5e-2 if low else 1e-4)
            assert parity["cases"] >= 3
            assert parity.get("method", "run") == ("emulated" if low else "run")


@pytest.mark.parametrize(("frames", "height", "width"), [(1, 1, 1), (2, 5, 3), (5, 2, 2)])
def test_frames_are_pytorchs(exported: Exported, frames: int, height: int, width: int) -> None:
    latents = exported.latents(frames, height, width)
    video = exported.pipeline().decode_latents(vidrt.DecodeOptions(latents, output_type="float32"))
    assert video.frames.shape == (4 * frames - 3, 8 * height, 8 * width, 3)
    assert difference(video.frames, exported.expected(latents)) <= TOLERANCE


def test_any_chunking_gives_the_same_frames(exported: Exported) -> None:
    frames = sum(receptive_field(exported.network.config)) + 4
    latents = exported.latents(frames, 1, 2)
    pipe = exported.pipeline()
    expected = exported.expected(latents)
    for chunk in (1, 3, frames):
        video = pipe.decode_latents(vidrt.DecodeOptions(latents, decode_chunk=chunk, output_type="float32"))
        assert video.metadata.decode_chunk == chunk
        assert difference(video.frames, expected) <= TOLERANCE, chunk


def test_engines_are_built(exported: Exported, check_engines: Callable[..., None]) -> None:
    side = Range(16, 32, 64)
    check_engines(exported.path, ["fp16", "fp32"], height=side, width=side, num_frames=Range(1, 9, 17))


def test_graphs_parse_in_tensorrt(exported: Exported, check_parsing: Callable[[Path], None]) -> None:
    check_parsing(exported.path)


def test_generating_says_what_the_bundle_lacks(exported: Exported) -> None:
    pipe = exported.pipeline()
    with pytest.raises(vidrt.BundleError, match="only a decoder: no text_encoder and no denoiser"):
        pipe("a small red circle")
    with pytest.raises(vidrt.BundleError, match="so no tokenizer"):
        _ = pipe.bundle.tokenizer


def test_the_commands_take_a_decoder_alone(
    exported: Exported, tmp_path: Path, run_vidrt: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    bundle = str(exported.path)
    np.save(tmp_path / "latents.npy", exported.latents(2))
    result = run_vidrt("decode", "latents.npy", "--output", "clip.y4m", "--bundle", bundle)
    assert result.returncode == 0, result.stderr
    assert "clip.y4m: 5 frames of 24x16 at 24 fps" in result.stdout
    assert (tmp_path / "clip.y4m").stat().st_size > 5 * 24 * 16
    result = run_vidrt("inspect", bundle, "--verify")
    assert result.returncode == 0, result.stderr
    assert "no text encoder and no denoiser: for `vidrt decode`" in result.stdout
    assert "quality not measured" in result.stdout
    for command in (["generate", "a circle", "--bundle", bundle], ["plan", bundle]):
        result = run_vidrt(*command)
        assert result.returncode == 3
        assert "only a decoder: no text_encoder and no denoiser" in result.stderr


def test_depthwise_convolutions_stand_behind_one_node_that_repeats_frames(exported: Exported) -> None:
    # What the graph pass rewrites, and what makes the stock graph, the last variant, cheap.
    for module in exported.manifest()["modules"].values():
        graph = onnx.load(exported.path / module["variants"][-1]["file"], load_external_data=False).graph
        producers = {name: node for node in graph.node for name in node.output}
        depthwise = [
            node
            for node in graph.node
            if node.op_type == "Conv" and any(item.name == "group" and item.i > 1 for item in node.attribute)
        ]
        # Of the middle block, and of the outer: its widening with a shortcut of one tap, and one more.
        assert len(depthwise) == 7
        for node in depthwise:
            attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
            if attributes["kernel_shape"] == [1, 1, 1]:
                continue
            assert attributes["kernel_shape"] == [5, 5, 5]
            assert attributes["pads"] == [0, 2, 2, 0, 2, 2]
            before = producers[node.input[0]]
            mode = [item.s for item in before.attribute if item.name == "mode"]
            assert (before.op_type, mode) in [("Pad", [b"edge"]), ("Concat", [])]


def test_presets_are_checked() -> None:
    for family, preset, message in [
        ("turbo_vaed", "ltxx", "the model family 'turbo_vaed' has no preset 'ltxx'; expected one of: ltx, hunyuan, "),
        ("pocket", "ltx", "the model family 'pocket' has no preset 'ltx'; it has none"),
    ]:
        with pytest.raises(vidrt.InvalidArgument, match=message):
            cli.main([family, "out", "--seed", "0", "--preset", preset])


def test_a_bad_checkpoint_is_the_callers_error(tmp_path: Path) -> None:
    torch.save({"conv_in.conv.weight": torch.zeros(1)}, tmp_path / "bad.pth")
    with pytest.raises(vidrt.InvalidArgument, match=r"bad\.pth does not hold the weights of the preset"):
        load(ModelSource(checkpoint=tmp_path / "bad.pth"))


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["ltx", "hunyuan", "dc-ae", "ltx-causal"])
def test_random_weights_at_the_published_configuration_export(preset: str, tmp_path: Path) -> None:
    assert cli.main(["turbo_vaed", str(tmp_path / "bundle"), "--seed", "0", "--preset", preset, "--json"]) == 0
    config = PRESETS[preset]
    pipe = vidrt.TextToVideoPipeline(tmp_path / "bundle", threads=1)
    latents = np.random.default_rng(0).standard_normal((config.latent_channels, 3, 2, 2), dtype=np.float32)
    frames = pipe.decode_latents(vidrt.DecodeOptions(latents)).frames
    ratio = config.temporal_ratio
    assert frames.shape[0] == (2 * ratio + 1 if config.single_first_frame else 3 * ratio)
    assert frames.std() > 20
