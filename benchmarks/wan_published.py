"""Wan at the published sizes with random weights: exports, single steps, TensorRT-for-RTX engines, one block at 480p.

    python benchmarks/wan_published.py                        # everything that disk and memory allow
    python benchmarks/wan_published.py 1.3b block --keep --scratch FOLDER
    python benchmarks/wan_published.py 5b-2.engines           # one part; what it needs is made first
    python benchmarks/wan_published.py --report               # the table of what was recorded

Each part is a process of its own, whose private memory is watched from outside, and leaves a record in
results/wan_published. Writes WAN_PUBLISHED.md of all records. Folders and bundles of a model are removed after its
parts, unless --keep.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from wan_published_report import report_of
from wan_published_tasks import run_child

from vidrt.engine.bench.machine import this_machine
from vidrt.engine.bench.process import run_process
from vidrt.engine.errors import BackendError
from vidrt.engine.events import CancelToken

HERE = Path(__file__).resolve().parent
REPORT = HERE / "WAN_PUBLISHED.md"
RECORDS = HERE / "results" / "wan_published"
_GIB = 1 << 30


@dataclasses.dataclass(frozen=True)
class Model:
    """A folder of random weights in bf16.

    Args:
        size: A key of wan_folder.SIZES.
        full: The components at published size; others are a toy's.
        layers: Of text encoder and transformer, where not all; `all_layers` is how many there are.
        disk_gib: What folder, bundles and engines take together.
    """

    size: str
    full: tuple[str, ...]
    disk_gib: int
    layers: int | None = None
    all_layers: int | None = None

    @property
    def depth(self) -> str:
        """In words."""
        return "all layers" if self.layers is None else f"{self.layers} of {self.all_layers} layers"


@dataclasses.dataclass(frozen=True)
class Part:
    """One process.

    Args:
        name: Begins with its model's.
        task: A function of wan_published_tasks.
        dtype: Of the bundle that it makes or takes.
        request: What else the task is told.
        memory_gib: Free memory without which it is not begun.
    """

    name: str
    task: str
    dtype: str
    request: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    memory_gib: int = 4

    @property
    def model(self) -> str:
        """A key of MODELS."""
        return self.name.rpartition(".")[0]


MODELS = {
    "1.3b": Model("wan2.1-t2v-1.3b", ("transformer", "vae"), 20),
    "block": Model("wan2.1-t2v-1.3b", ("transformer",), 2, layers=1, all_layers=30),
    "5b-2": Model("wan2.2-ti2v-5b", ("transformer",), 8, layers=2, all_layers=30),
    "umt5-4": Model("wan2.1-t2v-1.3b", ("text_encoder",), 24, layers=4, all_layers=24),
    "5b": Model("wan2.2-ti2v-5b", ("transformer",), 24),
    "umt5": Model("wan2.1-t2v-1.3b", ("text_encoder",), 30),
}
_SMALL = {"height": 64, "width": 64, "num_frames": 5}
_480P = {"height": "480", "width": "832", "num_frames": "81"}
_720P = {"height": "704", "width": "1280", "num_frames": "121"}
_STEPS = ("vae_decoder_first", "vae_decoder_next")


def _engines(name: str, dtype: str, modules: Sequence[str], sizes: Mapping[str, str], memory_gib: int) -> Part:
    return Part(name, "build", dtype, {"modules": modules, "precision": dtype, "sizes": sizes}, memory_gib)


PARTS = (
    Part("1.3b.export-bf16", "export", "bf16"),
    _engines("1.3b.engines-vae", "bf16", _STEPS, {**_480P, "decode_chunk": "1"}, 6),
    _engines("1.3b.engines-denoiser", "bf16", ("denoiser",), _480P, 10),
    Part("1.3b.generate-bf16", "generate", "bf16", {"sizes": _SMALL, "memory_budget": "9GiB"}, 12),
    Part("1.3b.export-fp32", "export", "fp32"),
    Part("1.3b.generate-fp32", "generate", "fp32", {"sizes": _SMALL, "memory_budget": "9GiB"}, 12),
    Part("block.export-fp32", "export", "fp32"),
    Part("block.step", "block", "fp32", {"latents": [21, 60, 104]}, 6),
    Part("5b-2.export-bf16", "export", "bf16"),
    _engines("5b-2.engines", "bf16", ("denoiser",), _720P, 8),
    Part("umt5-4.export-fp32", "export", "fp32"),
    _engines("umt5-4.engines", "fp32", ("text_encoder",), {}, 14),
    Part("5b.export-bf16", "export", "bf16"),
    Part("umt5.export-bf16", "export", "bf16", memory_gib=8),
)


def chosen(words: Sequence[str]) -> list[Part]:
    """The parts of models or names; all without any."""
    known = {*MODELS, *(part.name for part in PARTS)}
    unknown = [word for word in words if word not in known]
    if unknown:
        raise SystemExit(f"got {', '.join(unknown)}; expected a model or a part: {', '.join(sorted(known))}.")
    return [part for part in PARTS if not words or part.model in words or part.name in words]


class Runner:
    """Runs parts of one model in a folder."""

    def __init__(self, folder: Path, model: Model) -> None:
        self._folder, self._model = folder, model

    def run(self, part: Part) -> dict[str, Any]:
        """What a part gave."""
        if not (self._folder / "checkpoint").exists():
            self._process({"task": "write", "size": self._model.size, "full": self._model.full}, part)
        exported = Part("", "export", part.dtype)
        if part.task != "export" and not self._bundle(part).exists():
            self._process({"task": "export", "dtype": part.dtype}, exported)
        if part.task == "export":
            shutil.rmtree(self._bundle(part), ignore_errors=True)
        return self._process({"task": part.task, "dtype": part.dtype, **part.request}, part)

    def _bundle(self, part: Part) -> Path:
        return self._folder / part.dtype

    def _process(self, request: dict[str, Any], part: Part) -> dict[str, Any]:
        request = {
            "folder": str(self._folder / "checkpoint"),
            "bundle": str(self._bundle(part)),
            "cache": str(self._folder / "engines"),
            "layers": self._model.layers,
            **request,
        }
        print(f"  {request['task']}", flush=True)
        with tempfile.TemporaryDirectory() as scratch:
            command = [__file__, "--child", json.dumps(request)]
            finished = run_process(command, Path(scratch), CancelToken(), {"PYTHONPATH": str(HERE)})
        return {**finished.answer, "peak_anonymous_mib": finished.peak_anonymous_mib}


def lacking(part: Part, folder: Path) -> str | None:
    """Why a part cannot be run here."""
    free = shutil.disk_usage(folder).free / _GIB
    used = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / _GIB
    if free + used < MODELS[part.model].disk_gib:
        return f"needs {MODELS[part.model].disk_gib} GiB of disk, {free:.0f} are free"
    lines = Path("/proc/meminfo").read_text().splitlines()
    memory = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) / (1 << 20)
    return None if memory >= part.memory_gib else f"needs {part.memory_gib} GiB of memory, {memory:.0f} are free"


def run_parts(parts: Sequence[Part], scratch: Path, *, keep: bool) -> None:
    """Run parts one after another, and record each."""
    for name, model in MODELS.items():
        own = [part for part in parts if part.model == name]
        if own:
            with _place(scratch / name, keep=keep) as folder:
                for part in own:
                    print(part.name, flush=True)
                    _record(part, _outcome(part, Runner(folder, model), folder))


def _outcome(part: Part, runner: Runner, folder: Path) -> dict[str, Any]:
    reason = lacking(part, folder)
    if reason is not None:
        return {"skipped": reason}
    try:
        return runner.run(part)
    except BackendError as error:
        return {"failed": str(error)[-1000:]}


def _record(part: Part, outcome: dict[str, Any]) -> None:
    path = RECORDS / f"{part.name}.json"
    if "skipped" in outcome and path.exists() and "skipped" not in json.loads(path.read_text()):
        print(f"  skipped, an earlier record stays: {outcome['skipped']}")
        return
    print("  " + (outcome.get("skipped") or outcome.get("failed") or f"{outcome['seconds']:.0f} s"), flush=True)
    RECORDS.mkdir(parents=True, exist_ok=True)
    facts = {"part": part.name, "task": part.task, "dtype": part.dtype, "machine": this_machine().model_dump()}
    path.write_text(json.dumps({**facts, **outcome}, indent=1) + "\n")


@contextlib.contextmanager
def _place(folder: Path, *, keep: bool) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"models ({', '.join(MODELS)}) or parts; all without any")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "wan_published")
    parser.add_argument("--keep", action="store_true", help="keep folders, bundles and engines for the next time")
    parser.add_argument("--report", action="store_true", help="run nothing")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        run_child(arguments.child)
        return
    if not arguments.report:
        run_parts(chosen(arguments.parts), arguments.scratch, keep=arguments.keep)
    records = {part.name: _read(part) for part in PARTS}
    depths = {part.name: MODELS[part.model].depth for part in PARTS}
    REPORT.write_text(report_of(records, depths))
    print(REPORT)


def _read(part: Part) -> dict[str, Any]:
    path = RECORDS / f"{part.name}.json"
    return json.loads(path.read_text()) if path.exists() else {"skipped": "not run yet"}


if __name__ == "__main__":
    main()
