"""Decoding with Wan2.1's whole VAE: the peak memory of clips of several lengths, and the frames beside diffusers'.

Each row is a process of its own: vidrt's step graphs, diffusers' `AutoencoderKLWan.decode` of the whole clip in one
call, and the step graphs as one unrolled graph in ONNX Runtime. Writes WAN_DECODE.md. Memory alone, which other work
on the machine does not change.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vidrt.engine.bench.measuring import peak_rss_mib

HERE = Path(__file__).resolve().parent
REPORT = HERE / "WAN_DECODE.md"
LATENT_FRAMES = {"vidrt": (5, 21, 81, 241), "diffusers": (5, 21, 81), "unrolled": (5, 21)}
COMPARED = 21
VARIANT = "fp32.processor"
HEADER = """# Decoding with Wan2.1's VAE

Made by `python benchmarks/wan_decode.py`; do not edit. The published configuration (127 M parameters) with random
weights in fp32, latents of {side}x{side} ({pixels}x{pixels} pixels), each row in a process of its own. Diffusers alone
keeps the frames, {frame_mib:.2f} MiB each as float32: it returns the clip. *beyond imports* leaves out what the
process took to import its libraries.

| | latent frames | frames | peak MiB | beyond imports MiB |
|---|---|---|---|---|
"""

Frames = npt.NDArray[np.float32]


def latents_of(count: int, side: int) -> npt.NDArray[np.float32]:
    """Normal latents (16,T,h,w); shorter clips are the beginning of longer ones."""
    by_frame = np.random.default_rng(0).standard_normal((count, 16, side, side), dtype=np.float32)
    latents: npt.NDArray[np.float32] = by_frame.transpose(1, 0, 2, 3)
    return latents


def with_vidrt(bundle: Path) -> tuple[float, Callable[[npt.NDArray[np.float32], bool], Frames | None]]:
    """What importing took, and how to decode."""
    import vidrt
    from vidrt import _core
    from vidrt.engine.onnxruntime_location import announce_onnxruntime

    announce_onnxruntime()
    _core.onnxruntime_facts()
    imports = peak_rss_mib()
    pipe = vidrt.TextToVideoPipeline(bundle, threads=2)

    def decode(latents: npt.NDArray[np.float32], keep: bool) -> Frames | None:
        options = vidrt.DecodeOptions(latents, output_type="float32", keep_frames=keep)
        video = pipe.decode_latents(options, vidrt.Callbacks(on_warning=lambda _: None))
        return np.asarray(video.frames, np.float32) * 2 - 1 if keep else None

    return imports, decode


def with_diffusers(bundle: Path) -> tuple[float, Callable[[npt.NDArray[np.float32], bool], Frames | None]]:
    """Likewise."""
    import torch

    from vidrt.export.wan.folder import read_folder

    imports = peak_rss_mib()
    vae = read_folder(bundle.parent / "checkpoint").vae
    torch.set_num_threads(2)
    mean, std = (torch.tensor(vae.config[key]).view(1, -1, 1, 1, 1) for key in ("latents_mean", "latents_std"))

    @torch.inference_mode()
    def decode(latents: npt.NDArray[np.float32], keep: bool) -> Frames | None:
        frames = vae.decode(torch.from_numpy(latents.copy())[None] * std + mean, return_dict=False)[0]
        return frames[0].permute(1, 2, 3, 0).numpy() if keep else None

    return imports, decode


def with_unrolled(bundle: Path) -> tuple[float, Callable[[npt.NDArray[np.float32], bool], Frames | None]]:
    """Likewise; the graph is made for the clip."""
    import onnxruntime
    from unrolled_decoder import unrolled

    imports = peak_rss_mib()

    def decode(latents: npt.NDArray[np.float32], keep: bool) -> Frames | None:
        path = bundle / "unrolled.onnx"
        path.write_bytes(unrolled(bundle, VARIANT, latents.shape[1]))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        session = onnxruntime.InferenceSession(str(path), options)
        (frames,) = session.run(["frames"], {"latents": latents[None]})
        return np.asarray(frames[0]).transpose(1, 2, 3, 0) if keep else None

    return imports, decode


PEERS = {"vidrt": with_vidrt, "diffusers": with_diffusers, "unrolled": with_unrolled}
NAMES = {"vidrt": "vidrt", "diffusers": "diffusers, in one call", "unrolled": "one unrolled graph in ONNX Runtime"}


def run_child(request: dict[str, Any]) -> None:
    """Decode one clip and print a line of JSON."""
    bundle, count = Path(request["bundle"]), request["latent_frames"]
    imports, decode = PEERS[request["peer"]](bundle)
    frames = decode(latents_of(count, request["side"]), request["keep"] is not None)
    if frames is not None:
        np.save(request["keep"], frames)
    print(json.dumps({"imports_mib": imports, "peak_mib": peak_rss_mib()}))


def child(**request: Any) -> dict[str, float]:
    """One clip in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", json.dumps(request)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(HERE)},
    )
    if done.returncode != 0:
        raise RuntimeError(f"{request['peer']} failed:\n{done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def make_bundle(scratch: Path) -> Path:
    """A folder with the whole VAE and its bundle, made once in `scratch`."""
    import torch
    from wan_folder import write_folder

    from vidrt.export.exporter import export_bundle
    from vidrt.export.models.wan import load
    from vidrt.export.options import ExportOptions
    from vidrt.export.registry import ModelSource

    if not (scratch / "bundle").exists():
        if not (scratch / "checkpoint").exists():
            write_folder("wan2.1-t2v-1.3b", scratch / "checkpoint", dtype=torch.float32, full=("vae",))
        export_bundle(load(ModelSource(scratch / "checkpoint")), scratch / "bundle", ExportOptions(storage="fp32"))
    return scratch / "bundle"


def measure(scratch: Path, side: int) -> str:
    """Run everything; the report."""
    bundle = make_bundle(scratch)
    report = HEADER.format(side=side, pixels=8 * side, frame_mib=(8 * side) ** 2 * 3 * 4 / 2**20)
    for peer, lengths in LATENT_FRAMES.items():
        for count in lengths:
            print(f"{NAMES[peer]}, {count} latent frames", flush=True)
            row = child(peer=peer, bundle=str(bundle), latent_frames=count, side=side, keep=None)
            beyond = row["peak_mib"] - row["imports_mib"]
            report += f"| {NAMES[peer]} | {count} | {4 * count - 3} | {row['peak_mib']:.0f} | {beyond:.0f} |\n"
    clips = {}
    for peer in PEERS:
        print(f"frames of {NAMES[peer]}", flush=True)
        path = scratch / f"{peer}.npy"
        child(peer=peer, bundle=str(bundle), latent_frames=COMPARED, side=side, keep=str(path))
        clips[peer] = np.load(path)
    report += f"\nLargest difference from diffusers in [-1,1], {COMPARED} latent frames: " + ", ".join(
        f"{NAMES[peer]} {np.abs(clips[peer] - clips['diffusers']).max():.1e}" for peer in ("vidrt", "unrolled")
    )
    return report + f" (deviation of the frames: {clips['diffusers'].std():.2f}).\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=8, help="of the latents; pixels are eight times as many")
    parser.add_argument("--scratch", type=Path, help="a folder that keeps the bundle for the next time")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        run_child(arguments.child)
        return
    with tempfile.TemporaryDirectory() as temporary:
        scratch = arguments.scratch or Path(temporary)
        scratch.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(measure(scratch, arguments.side))
    print(REPORT)


if __name__ == "__main__":
    main()
