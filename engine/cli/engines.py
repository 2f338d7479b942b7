"""`vidrt engines`: what is in the engine cache, what of it fits, and what may go."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from vidrt.engine.builder import Engine, EngineCache, find_engine
from vidrt.engine.builder.cache import Broken
from vidrt.engine.builder.flavour import installed_version
from vidrt.engine.builder.prune import removable, remove
from vidrt.engine.builder.targets import local_compute_capability
from vidrt.engine.bundle import Bundle, default_bundle
from vidrt.engine.cli import arguments as arg
from vidrt.engine.cli.build import CacheFolder, EngineBackend
from vidrt.engine.cli.text import print_json
from vidrt.engine.errors import BackendError, InvalidArgument
from vidrt.engine.text import human_bytes

app = typer.Typer(help="List, check and remove TensorRT engines that `vidrt build` made.", no_args_is_help=True)
_BACKENDS = ("tensorrt", "tensorrt-rtx")


@app.command("list")
def list_engines(cache: CacheFolder = None, json: arg.Json = False) -> None:
    """List the engines of the cache, and whether the installed TensorRT runs them."""
    kept = EngineCache(cache)
    versions = {backend: installed_version(backend) for backend in _BACKENDS}
    entries = kept.entries()
    if json:
        print_json({"cache": str(kept.folder), "engines": [_as_json(entry, versions) for entry in entries]})
        return
    for entry in entries:
        print(_as_text(entry, versions))
    total = sum(entry.sidecar.outcome.bytes for entry in entries if isinstance(entry, Engine))
    print(f"{len(entries)} engines, {human_bytes(total)}: {kept.folder}")


@app.command()
def check(
    backend: EngineBackend,
    folder: arg.BundleFolder = None,
    height: arg.Height = None,
    width: arg.Width = None,
    num_frames: arg.NumFrames = None,
    batch: Annotated[int | None, typer.Option(help="Prompts a call.")] = None,
    decode_chunk: arg.DecodeChunk = None,
    compute_capability: Annotated[
        str | None, typer.Option(help="Of the GPU that shall run them, as 8.9. (default: this machine's)")
    ] = None,
    cache: CacheFolder = None,
    json: arg.Json = False,
) -> None:
    """Say which engines would serve a video of a size, or what stands against those that are there."""
    if backend not in _BACKENDS:
        raise InvalidArgument(f"backend must be one of {', '.join(_BACKENDS)}, got {backend!r}.")
    bundle = Bundle(default_bundle() if folder is None else folder)
    defaults = bundle.manifest.defaults
    sizes = {
        "height": height or defaults.height,
        "width": width or defaults.width,
        "num_frames": num_frames or defaults.num_frames,
        **({} if batch is None else {"batch": batch}),
        **({} if decode_chunk is None else {"decode_chunk": decode_chunk}),
    }
    capability = compute_capability or local_compute_capability()
    version = installed_version(backend)
    found = {
        name: find_engine(
            EngineCache(cache),
            bundle,
            module,
            backend,
            version=version,
            compute_capability=capability,
            sizes=sizes,
        )
        for name, module in bundle.modules.items()
    }
    unchecked = {"TensorRT version": version, "device": capability}
    if json:
        print_json({name: {"plan": str(one.plan), **one.sidecar.to_dict()} for name, one in found.items()})
        return
    for name, engine in found.items():
        print(f"{name}: {engine.plan}")
    for name, value in unchecked.items():
        if value is None:
            print(f"not checked: the {name}, for there is none here")


@app.command()
def prune(
    older_than: Annotated[float | None, typer.Option(metavar="DAYS", help="Also engines built longer ago.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All engines.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    cache: CacheFolder = None,
    json: arg.Json = False,
) -> None:
    """Remove engines that nothing runs any more: of another TensorRT, of a graph that has changed, damaged ones."""
    kept = EngineCache(cache)
    versions = {backend: installed_version(backend) for backend in _BACKENDS}
    removals = removable(kept, versions=versions, older_than_days=older_than, everything=everything)
    done = removals if dry_run else remove(kept, removals)
    if json:
        print_json({"removed": [{"engine": one.stem, "reason": one.reason, "bytes": one.bytes} for one in done]})
        return
    for one in done:
        print(f"{one.stem}: {one.reason}")
    freed = human_bytes(sum(one.bytes for one in done))
    print(f"{'would free' if dry_run else 'freed'} {freed}: {kept.folder}")


def _as_text(entry: Engine | Broken, versions: dict[str, str | None]) -> str:
    if isinstance(entry, Broken):
        return f"{entry.path.name}: {_state(entry, versions)}"
    source, target, outcome = entry.sidecar.source, entry.sidecar.target, entry.sidecar.outcome
    return (
        f"{source.bundle} {source.module} ({source.variant}): {_state(entry, versions)}\n"
        f"  {target.backend} {target.version}, for {', '.join(target.compute_capabilities)}; "
        f"{human_bytes(outcome.bytes)}, built {outcome.built}\n"
        f"  {', '.join(f'{name} {size}' for name, size in target.sizes.items())}"
    )


def _state(entry: Engine | Broken, versions: dict[str, str | None]) -> str:
    if isinstance(entry, Broken):
        return f"damaged sidecar: {entry.reason}"
    target = entry.sidecar.target
    try:
        entry.check()
    except BackendError:
        return "damaged plan"
    installed = versions[target.backend]
    if installed is None:
        return f"{target.backend} is not installed"
    if not target.runs_in(installed):
        return f"for another version; {installed} is installed"
    if target.options.get("strip"):
        return "ok, without its weights: vidrt does not run it"
    return "ok"


def _as_json(entry: Engine | Broken, versions: dict[str, str | None]) -> dict[str, Any]:
    state = {"sidecar": str(entry.path), "state": _state(entry, versions)}
    return state if isinstance(entry, Broken) else {**state, "plan": str(entry.plan), **entry.sidecar.to_dict()}
