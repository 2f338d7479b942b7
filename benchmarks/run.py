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

from decode_bundle import make_decode_bundle
from report import write_report
from scenario import Case, Scenario, load_scenario, scenario_names

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"


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


def run_case(scenario: Scenario, case: Case, bundle: Path, scratch: Path) -> dict[str, Any]:
    """Run one case in a process of its own. What it needs besides the bundle is made in the folder `scratch`.

    Raises:
        RuntimeError: the case failed; the message ends with what it printed.
    """
    values = dataclasses.asdict(case)
    label = values.pop("label")
    options = {key: value for key, value in values.items() if value is not None}
    settings = dict(options)
    if settings.pop("decode_only", False):
        decode_bundle = scratch / "decode_only"
        bundle = decode_bundle if decode_bundle.exists() else make_decode_bundle(bundle, decode_bundle)
        settings["keep_frames"] = False
    request = {
        "bundle": str(bundle),
        "pipelines": settings.pop("pipelines", 1),
        "warmup": scenario.warmup,
        "repetitions": scenario.repetitions,
        "options": settings,
    }
    command = [sys.executable, str(Path(__file__).parent / "case.py"), json.dumps(request)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{scenario.name}, '{label}' failed:\n{done.stderr[-2000:]}")
    return {"label": label, "options": options, **json.loads(done.stdout)}


def run_scenario(scenario: Scenario, bundle: Path, remark: str, scratch: Path) -> None:
    """Run all cases and write the result; an earlier one stays until this one is whole."""
    print(f"{scenario.name}: {scenario.question}")
    cases = []
    for case in scenario.cases:
        print(f"  {case.label} ...", flush=True)
        cases.append(run_case(scenario, case, bundle, scratch))
    result = {
        "schema_version": 1,
        "scenario": dataclasses.asdict(scenario),
        "machine": machine(),
        "remark": remark,
        "bundle": bundle.name,
        "cases": cases,
    }
    target = RESULTS / f"{scenario.name}.json"
    temporary = target.with_suffix(".tmp")
    temporary.write_text(json.dumps(result, indent=1) + "\n")
    temporary.replace(target)


def main() -> None:
    """Run the named scenarios, or all, and render the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="NAME", help=f"of {', '.join(scenario_names())}; default all")
    parser.add_argument("--bundle", type=Path, default=ROOT / "models" / "pocket", help="bundle to run")
    parser.add_argument("--remark", default="", help="what the reader of the figures must know")
    arguments = parser.parse_args()
    try:
        chosen = [load_scenario(name) for name in arguments.scenarios or scenario_names()]
    except ValueError as error:
        parser.error(str(error))
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for scenario in chosen:
            run_scenario(scenario, arguments.bundle, arguments.remark, Path(scratch))
    print(f"wrote {write_report(RESULTS)}")


if __name__ == "__main__":
    main()
