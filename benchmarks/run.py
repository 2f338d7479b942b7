"""Run benchmark scenarios and write their results: `python benchmarks/run.py [NAME ...]`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from decode_bundle import make_decode_bundle
from report import write_report
from scenario import Case, Scenario, load_scenario, scenario_names

import vidrt

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"


def machine() -> dict[str, Any]:
    """What the figures hold for: processor, cores, system, versions."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
    return {
        "processor": model,
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def initial_latents(bundle: Path, case: Case, path: Path) -> None:
    """Write normal noise (C,T,h,w) float32 for a case's size."""
    pipe = vidrt.TextToVideoPipeline(bundle)
    size = case.latents
    if size is None:
        plan = pipe.plan(vidrt.GenerateOptions(num_frames=case.num_frames, height=case.height, width=case.width))
        size = (plan.latent_frames, plan.latent_height, plan.latent_width)
    shape = (pipe.bundle.manifest.vae.latent_channels, *size)
    np.save(path, np.random.default_rng(0).standard_normal(shape, dtype=np.float32))


def make_turbo_vaed_bundle(preset: str, target: Path) -> Path:
    """Export Turbo-VAED's decoder with random weights; returns target."""
    from vidrt.export.exporter import export_bundle
    from vidrt.export.models.turbo_vaed import load
    from vidrt.export.options import ExportOptions
    from vidrt.export.registry import ModelSource

    export_bundle(load(ModelSource(preset=preset)), target, ExportOptions())
    return target


def make_wan_bundle(layers: int, folder: Path) -> Path:
    """Write a checkpoint of Wan2.1-T2V-1.3B with fewer layers and export it; returns <folder>/bundle."""
    import torch
    from wan_folder import write_folder

    from vidrt.export.exporter import export_bundle
    from vidrt.export.models.wan import load
    from vidrt.export.options import ExportOptions
    from vidrt.export.registry import ModelSource

    checkpoint, bundle = folder / "checkpoint", folder / "bundle"
    if not bundle.exists():
        folder.mkdir()
        full = ("transformer", "vae")
        write_folder("wan2.1-t2v-1.3b", checkpoint, dtype=torch.float32, full=full, layers=layers)
        export_bundle(load(ModelSource(checkpoint)), bundle, ExportOptions(storage="fp32"))
    return bundle


def run_case(scenario: Scenario, case: Case, bundle: Path, scratch: Path) -> dict[str, Any]:
    """Run one case in a process of its own. What it needs besides the bundle is made in the folder `scratch`.

    Raises:
        RuntimeError: the case failed; the message ends with what it printed.
    """
    values = dataclasses.asdict(case)
    label, peer, form = values.pop("label"), values.pop("peer"), values.pop("form")
    options = {key: value for key, value in values.items() if value is not None}
    settings = dict(options)
    if settings.pop("decode_only", False):
        decode_bundle = scratch / "decode_only"
        bundle = decode_bundle if decode_bundle.exists() else make_decode_bundle(bundle, decode_bundle)
        settings["keep_frames"] = False
    latents = scratch / "latents.npy" if scenario.compares or case.latents is not None else None
    if latents is not None:
        initial_latents(bundle, case, latents)
    request = {
        "bundle": str(bundle),
        "pipelines": settings.pop("pipelines", 1),
        "warmup": scenario.warmup,
        "repetitions": scenario.repetitions,
        "decode": settings.pop("latents", None) is not None,
        "variant": settings.pop("variant", None),
        "options": settings,
        "form": form,
        "latents": latents and str(latents),
        "frames": str(frames_of(case, scratch)) if scenario.compares else None,
    }
    script = HERE / "case.py" if peer is None else HERE / "peers" / f"with_{peer}.py"
    done = subprocess.run(
        [sys.executable, str(script), json.dumps(request)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(HERE)},  # peers share measuring.py
    )
    if done.returncode != 0:
        raise RuntimeError(f"{scenario.name}, '{label}' failed:\n{done.stderr[-2000:]}")
    return {"label": label, "options": options, **json.loads(done.stdout.splitlines()[-1])}


def frames_of(case: Case, scratch: Path) -> Path:
    """Where a case that is compared leaves its frames."""
    return scratch / f"{case.label}.npy"


def psnr_db(path: Path, reference: Path) -> float:
    """Of one clip (F,H,W,3) uint8 against another, over all pixels; infinite where they are equal."""
    error = np.mean((np.load(path).astype(np.float64) - np.load(reference)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def together(earlier: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """Two rounds of a case as one: the runs of both, the higher peaks."""
    higher = {key: max(earlier[key], result[key]) for key in ("imports_mib", "peak_mib")}
    return {**result, **higher, "runs": earlier["runs"] + result["runs"]}


def run_scenario(scenario: Scenario, bundle: Path, remark: str, scratch: Path) -> None:
    """Run all cases and write the result; an earlier one stays until this one is whole."""
    print(f"{scenario.name}: {scenario.question}", flush=True)
    if scenario.turbo_vaed is not None:
        bundle = make_turbo_vaed_bundle(scenario.turbo_vaed, scratch / f"turbo-vaed-{scenario.turbo_vaed}")
    if scenario.wan_layers is not None:
        bundle = make_wan_bundle(scenario.wan_layers, scratch / f"wan-{scenario.wan_layers}")
    cases: dict[str, dict[str, Any]] = {}
    for turn in range(scenario.rounds):
        for case in scenario.cases:
            print(f"  {case.label}{f', round {turn + 1}' if scenario.rounds > 1 else ''} ...", flush=True)
            result = run_case(scenario, case, bundle, scratch)
            if scenario.compares:
                result["psnr_db"] = psnr_db(frames_of(case, scratch), frames_of(scenario.cases[0], scratch))
            cases[case.label] = together(cases[case.label], result) if case.label in cases else result
    result = {
        "schema_version": 1,
        "scenario": dataclasses.asdict(scenario),
        "machine": machine(),
        "remark": remark,
        "bundle": bundle.name,
        "cases": list(cases.values()),
    }
    target = RESULTS / f"{scenario.name}.json"
    temporary = target.with_suffix(".tmp")
    temporary.write_text(json.dumps(result, indent=1) + "\n")
    temporary.replace(target)


def main() -> None:
    """Run the named scenarios, or all, and render the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="NAME", help=f"of {', '.join(scenario_names())}; default all")
    parser.add_argument("--bundle", type=Path, default=HERE.parent / "models" / "pocket", help="bundle to run")
    parser.add_argument("--remark", default="", help="what the reader of the figures must know")
    arguments = parser.parse_args()
    try:
        chosen = [load_scenario(name) for name in arguments.scenarios or scenario_names()]
    except ValueError as error:
        parser.error(str(error))
    for scenario in chosen:
        if missing := scenario.missing_packages():
            parser.error(f"{scenario.name} also measures {', '.join(missing)}: pip install 'vidrt[export,benchmarks]'")
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for scenario in chosen:
            try:
                run_scenario(scenario, arguments.bundle, arguments.remark, Path(scratch))
            except RuntimeError as error:
                sys.exit(f"error: {error}")
    print(f"wrote {write_report(RESULTS)}")


if __name__ == "__main__":
    main()
