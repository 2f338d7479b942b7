"""`vidrt inspect`: what a bundle holds."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from vidrt import _core
from vidrt.engine.bundle import Bundle, default_bundle
from vidrt.engine.cli import arguments as arg
from vidrt.engine.cli.text import print_json
from vidrt.engine.prompt_fixing import cleaning_in_words
from vidrt.engine.text import human_bytes


def inspect(
    folder: arg.BundleFolder = None,
    verify: Annotated[bool, typer.Option("--verify", help="Also hash every weight file.")] = False,
    json: arg.Json = False,
) -> None:
    """Show modules, shapes, sizes, parity and operators of a bundle, after checking it."""
    bundle = Bundle(default_bundle() if folder is None else folder)
    if verify:
        bundle.verify()
    if json:
        print_json(
            {
                "path": str(bundle.path),
                "weights_verified": verify,
                "operators": {name: _operators(bundle, module) for name, module in bundle.modules.items()},
                "manifest": bundle.to_dict(),
            }
        )
        return
    _print_summary(bundle, verified=verify)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(_module_table(bundle))
    console.print()
    console.print(_tensor_table(bundle))
    console.print()
    console.print(_operator_table(bundle))


def _print_summary(bundle: Bundle, *, verified: bool) -> None:
    manifest = bundle.manifest
    weights = sum(file.bytes for file in manifest.data_files.values())
    default = manifest.defaults
    print(f"{manifest.name} ({manifest.family}), {manifest.license}, schema {manifest.schema_version}: {bundle.path}")
    print(f"weights {human_bytes(weights)}" + (", every hash checked" if verified else ""))
    for name, limit in (("height", manifest.height), ("width", manifest.width), ("num_frames", manifest.num_frames)):
        measured = f"quality measured {limit.measured_min} to {limit.measured_max}"
        if not limit.measured_max:
            measured = "quality not measured"
        print(f"{name}: {limit.min} to {limit.max} in steps of {limit.step}; {measured}")
    sampling = (
        "" if manifest.decoder_only else f", {default.num_inference_steps} steps, guidance {default.guidance_scale:g}"
    )
    print(f"defaults: {default.num_frames} frames of {default.width}x{default.height} at {default.fps:g} fps{sampling}")
    if manifest.decoder_only:
        print("no text encoder and no denoiser: for `vidrt decode`")
    else:
        print(f"tokenizer: {manifest.tokenizer.kind}, at most {manifest.tokenizer.max_length} tokens")
        if manifest.text_ftfy or manifest.text_cleaning != "none":
            print(f"prompts are cleaned: {cleaning_in_words(manifest)}")
    vae = manifest.vae
    print(f"decoder: {vae.form}, 1/{vae.temporal_ratio} of the frames, 1/{vae.spatial_ratio} of the size")
    if vae.receptive_field is not None:
        print("receptive field: {} latent frames before and {} after".format(*vae.receptive_field))
    print()


def _module_table(bundle: Bundle) -> Table:
    table = Table(
        "module",
        "variant",
        "graph",
        "weights",
        "precision",
        "opset",
        "custom ops",
        "backends",
        "parity",
        box=None,
        pad_edge=False,
    )
    for name, module in bundle.modules.items():
        for variant in module.variants:
            precision = variant.precision
            if variant.storage != variant.precision:
                precision += f", stored {variant.storage}"
            table.add_row(
                name,
                variant.id,
                human_bytes(variant.bytes),
                human_bytes(variant.weight_bytes),
                precision,
                str(variant.opset),
                ", ".join(variant.custom_ops) or "none",
                ", ".join(variant.backends),
                _parity(variant.parity),
            )
    return table


def _parity(parity: _core.Parity | None) -> str:
    if parity is None:
        return "not compared"
    how = "" if parity.method == "run" else f", {parity.method}"
    cosine = "" if parity.cosine is None else f", cosine {parity.cosine:.6f} of {parity.least_cosine:g}"
    return f"{parity.max_abs:.1e} of {parity.tolerance:.0e} in {parity.cases} cases{how}{cosine}"


def _tensor_table(bundle: Bundle) -> Table:
    table = Table("module", "", "tensor", "dtype", "shape", box=None, pad_edge=False)
    for name, module in bundle.modules.items():
        variant = module.variants[0]  # all variants of a module take and give the same tensors
        for direction, specs in (("in", variant.inputs), ("out", variant.outputs)):
            for spec in specs:
                table.add_row(name, direction, spec.name, spec.dtype, f"({', '.join(spec.shape)})")
    return table


def _operators(bundle: Bundle, module: _core.Module) -> dict[str, dict[str, int]]:
    return {variant.id: bundle.operators(variant) for variant in module.variants}


def _operator_table(bundle: Bundle) -> Table:
    table = Table("module", "variant", "operators", box=None, pad_edge=False)
    for name, module in bundle.modules.items():
        for variant, counts in _operators(bundle, module).items():
            most_first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            table.add_row(name, variant, ", ".join(f"{operator} {count}" for operator, count in most_first))
    return table
