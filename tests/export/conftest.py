"""Models to export: pocket at toy size, once a session, and a family so small that its export takes a second or two."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vidrt.engine.builder import BuildOptions, EngineCache, Range, build_engines
from vidrt.engine.builder.flavour import load_flavour
from vidrt.engine.builder.source import precisions_of
from vidrt.engine.bundle import Bundle
from vidrt.engine.errors import BackendError
from vidrt.engine.file_lock import locked
from vidrt.engine.precision import EVERY_MODULE
from vidrt.export.exporter import export_bundle
from vidrt.export.models.pocket import bundle_spec
from vidrt.export.options import ExportOptions
from vidrt.export.pocket.checkpoint import Networks, bundle_networks, random_networks
from vidrt.export.pocket.config import TOY
from vidrt.export.samples import mask, normal, token_ids, uniform
from vidrt.export.spec import BundleSpec, Defaults, Extent, Limit, ModuleSpec, Part, TensorSpec, TokenizerSpec, VaeSpec

BUILDER_PROBE = Path(__file__).resolve().parent.parent / "tensorrt" / "builder_probe.py"
_SENTENCES = [
    "a red circle moves left over a dark background",
    "The quick brown fox jumps over the lazy dog.",
    "一个红色的圆形向左移动",
    "黑暗背景上的蓝色方块",
    "Ein kleiner roter Kreis bewegt sich nach links",
    "Быстрая коричневая лиса прыгает",
    "赤い丸が左に動く",
    "우리는 비디오를 만든다",
    "¿Dónde está la niña?",
    "مرحبا بالعالم",
    "1234567890 !?.,;:-_()[]{}",
    "café naïve Ångström",
]


def _toy_networks() -> Networks:
    """Toy networks in which every weight matters: as they are initialised, many are exactly zero or one."""
    networks = random_networks(TOY, seed=1)
    generator = torch.Generator().manual_seed(2)
    for network in networks.named().values():
        for tensor in network.state_dict().values():
            tensor.add_(0.1 * torch.randn(tensor.shape, generator=generator))
    return networks


@dataclasses.dataclass(frozen=True)
class ToyBundle:
    """An exported toy: its folder, and the networks with the weights as they were rounded for it."""

    path: Path
    networks: Networks


@pytest.fixture(scope="session")
def exported_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, BundleSpec, ExportOptions], Path]:
    """Exports a bundle that many tests read, under a name: the first time in a run, in whichever of its processes."""
    root = tmp_path_factory.getbasetemp()
    # Each of pytest-xdist's workers has a folder of its own in the run's.
    folder = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "exported"
    folder.mkdir(exist_ok=True)

    def make(name: str, spec: BundleSpec, options: ExportOptions) -> Path:
        path = folder / name
        with locked(folder / f"{name}.lock", wait=lambda: None):
            if not path.exists():
                export_bundle(spec, path, options)
        return path

    return make


@pytest.fixture(scope="session")
def toy_bundle(exported_once: Callable[..., Path]) -> ToyBundle:
    """Pocket at toy size, with graphs in fp16."""
    path = exported_once("pocket", bundle_spec(_toy_networks()), ExportOptions({EVERY_MODULE: ("fp16",)}))
    return ToyBundle(path, bundle_networks(path, TOY))


class MiniatureTextEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(8, 4)
        self.register_buffer("shift", torch.arange(4))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return (self.embedding(input_ids) + self.shift) * attention_mask.unsqueeze(-1).float()


class MiniatureDenoiser(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(2, 2, 1)
        self.text = nn.Linear(4, 2)

    def forward(self, latents: Tensor, timestep: Tensor, text_embeds: Tensor) -> Tensor:
        told = self.text(text_embeds.mean(dim=1)).view(-1, 2, 1, 1, 1)
        return self.conv(latents) + told * (timestep / 1000.0)[:, None, :, None, None]


class MiniatureVaeDecoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(2, 3, 1)

    def forward(self, latents: Tensor) -> Tensor:
        return self.conv(latents).clamp(-1.0, 1.0)


def _module(name: str, network: nn.Module, **fields: Any) -> ModuleSpec:
    trace = {"B": 2, "T": 3, "h": 4, "w": 5, "L": 3}
    symbols = {dim for spec in fields["inputs"] for dim in spec.shape if isinstance(dim, str)}
    sizes = {symbol: trace[symbol] for symbol in sorted(symbols)}
    return ModuleSpec(
        name=name,
        build=lambda: network,
        extents={symbol: Extent(1, 8) for symbol in sizes},
        trace=sizes,
        cases=(sizes, dict.fromkeys(sizes, 1)),
        tolerance={"fp32": 1e-5, "fp16": 1e-2, "bf16": 1e-1},
        **fields,
    )


def make_miniature() -> BundleSpec:
    """Three networks of a few numbers each."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        text_encoder, denoiser, vae_decoder = MiniatureTextEncoder(), MiniatureDenoiser(), MiniatureVaeDecoder()
    latents = ("B", 2, "T", "h", "w")
    embeds = ("B", "L", 4)
    side = Limit(2, 8, 1, (2, 8))
    networks = {"text_encoder": text_encoder, "denoiser": denoiser, "vae_decoder": vae_decoder}
    modules = (
        _module(
            "text_encoder",
            text_encoder,
            inputs=(
                TensorSpec("input_ids", "int64", ("B", "L"), token_ids(8)),
                TensorSpec("attention_mask", "int64", ("B", "L"), mask),
            ),
            outputs=(TensorSpec("text_embeds", "float32", embeds),),
        ),
        _module(
            "denoiser",
            denoiser,
            inputs=(
                TensorSpec("latents", "float32", latents, normal),
                TensorSpec("timestep", "float32", ("B", "T"), uniform(0.0, 1000.0)),
                TensorSpec("text_embeds", "float32", embeds, normal),
            ),
            outputs=(TensorSpec("prediction", "float32", latents),),
        ),
        _module(
            "vae_decoder",
            vae_decoder,
            inputs=(TensorSpec("latents", "float32", latents, normal),),
            outputs=(TensorSpec("frames", "float32", ("B", 3, "T", "h", "w")),),
        ),
    )
    return BundleSpec(
        name="miniature",
        family="miniature",
        license="Apache-2.0",
        parts=(Part(networks, modules),),
        compute=("fp32", "fp16", "bf16"),
        tokenizer=TokenizerSpec("wordlevel", {"tokenizer/vocab.txt": b"<pad>\n<unk>\n<eos>\na\n"}, 4, 0, 2, 1),
        scheduler={"_class_name": "FlowMatchEulerDiscreteScheduler"},
        limits={"height": side, "width": side, "num_frames": Limit(1, 8, 1, (1, 8))},
        vae=VaeSpec("framewise", 1, 1, 2),
        defaults=Defaults(4, 4, 2, 2, 1.0, "", 8.0),
        zero_after_mask=True,
    )


@pytest.fixture
def miniature() -> BundleSpec:
    """A fresh miniature: an export rounds the networks it is given."""
    return make_miniature()


@pytest.fixture
def with_module() -> Callable[..., BundleSpec]:
    """Change fields of one module of a declaration."""

    def change(spec: BundleSpec, name: str, **fields: Any) -> BundleSpec:
        def changed(part: Part) -> Part:
            modules = [dataclasses.replace(item, **fields) if item.name == name else item for item in part.modules]
            return dataclasses.replace(part, modules=tuple(modules))

        return dataclasses.replace(spec, parts=tuple(changed(part) for part in spec.parts))

    return change


@pytest.fixture(scope="session")
def miniature_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported miniature, to read or to copy."""
    path = tmp_path_factory.mktemp("miniature") / "bundle"
    export_bundle(make_miniature(), path, ExportOptions())
    return path


@pytest.fixture(scope="session")
def low_miniature_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A miniature stored in fp32, with graphs in every precision."""
    path = tmp_path_factory.mktemp("low_miniature") / "bundle"
    export_bundle(make_miniature(), path, ExportOptions({EVERY_MODULE: ("bf16", "fp16")}, storage="fp32"))
    return path


def _module_of(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, Path(__file__).parent / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def clip_folders() -> Any:
    """Writes tokenizer folders of models with a CLIP text encoder (clip_folders.py)."""
    return _module_of("clip_folders.py").ClipFolders()


@pytest.fixture(scope="session")
def evaluate_depthwise() -> Callable[..., Any]:
    """Run a graph with vidrt's operators by their definition (depthwise/reference.py)."""
    module = _module_of("depthwise/reference.py")
    evaluate: Callable[..., Any] = module.evaluate
    return evaluate


@pytest.fixture
def check_engines(tmp_path: Path) -> Callable[..., None]:
    """Build every module of a bundle in each precision that it has for TensorRT, with all its sizes dynamic.

    What TensorRT says of the engines is plausible.
    """
    try:
        load_flavour("tensorrt-rtx")
    except BackendError as error:
        pytest.skip(str(error))

    def check(path: Path, expected: list[str], **sizes: Range) -> None:
        bundle = Bundle(path)
        (precisions,) = {tuple(precisions_of(module, "tensorrt-rtx")) for module in bundle.modules.values()}
        assert list(precisions) == expected
        engines = []
        for precision in precisions:
            options = BuildOptions(
                "tensorrt-rtx",
                batch=Range(1, 2, 2),
                precisions={EVERY_MODULE: precision},
                optimization_level=0,
                **sizes,
            )
            built = build_engines(bundle, options, cache=EngineCache(tmp_path / "engines"))
            assert [one.module for one in built] == list(bundle.modules)
            assert {one.engine.sidecar.source.precision for one in built} == {precision}
            engines.extend(built)
        for one in engines:
            sidecar = one.engine.sidecar
            for spec in bundle.modules[one.module].variants[-1].inputs:
                shapes = sidecar.target.profile[spec.name]
                dynamic = [low < high for low, high in zip(shapes.min, shapes.max, strict=True)]
                # The core pads every prompt to one length.
                assert dynamic == [not (entry.isdecimal() or entry == "L") for entry in spec.shape]
            outcome, initializers = sidecar.outcome, sidecar.source.initializer_bytes
            assert outcome.layers
            assert outcome.activation_bytes is not None
            assert outcome.scratch_bytes is not None
            assert outcome.weight_bytes is not None
            assert outcome.warnings == ()
            if initializers > 2**20:
                assert 0.8 <= outcome.weight_bytes / initializers <= 1.3

    return check


@pytest.fixture
def check_parsing(in_tensorrt: Callable[..., dict[str, Any]]) -> Callable[[Path], None]:
    """Parse every graph of a bundle that is for TensorRT in TensorRT itself, at the sizes of its limits."""

    def check(path: Path) -> None:
        answer = in_tensorrt(BUILDER_PROBE, [], path, "")
        assert answer["errors"] == []
        expected = {
            name: {
                variant.id: {"plugins": 0, "profile": 0}
                for variant in module.variants
                if "tensorrt" in variant.backends and not variant.custom_ops
            }
            for name, module in Bundle(path).modules.items()
        }
        assert all(expected.values())
        assert answer["parsed"] == expected

    return check


@pytest.fixture(scope="session")
def train_t5() -> Callable[[Path, bool], None]:
    """Trains a small unigram model with T5's normalisation and ids: (folder, whether it falls back to bytes)."""

    def train(folder: Path, byte_fallback: bool) -> None:
        import sentencepiece

        buffer = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(_SENTENCES * 30),
            model_writer=buffer,
            vocab_size=700 if byte_fallback else 420,
            byte_fallback=byte_fallback,
            model_type="unigram",
            pad_id=0,
            eos_id=1,
            unk_id=2,
            bos_id=-1,
            hard_vocab_limit=False,
            minloglevel=2,
        )
        (folder / "spiece.model").write_bytes(buffer.getvalue())

    return train
