"""Run benchmark scenarios and write their results: `python benchmarks/run.py [NAME ...]`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def run_case(scenario: Scenario, case: Case, bundle: Path) -> dict[str, Any]:
    """Run one case in a process of its own.

    Raises:
        RuntimeError: the case failed; the message ends with what it printed.
    """
    values = dataclasses.asdict(case)
    label = values.pop("label")
    options = {key: value for key, value in values.items() if value is not None}
    request = {
        "bundle": str(bundle),
        "warmup": scenario.warmup,
        "repetitions": scenario.repetitions,
        "options": options,
    }
    command = [sys.executable, str(Path(__file__).parent / "case.py"), json.dumps(request)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{scenario.name}, '{label}' failed:\n{done.stderr[-2000:]}")
    return {"label": label, "options": options, **json.loads(done.stdout)}


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
    for scenario in chosen:
        print(f"{scenario.name}: {scenario.question}")
        cases = []
        for case in scenario.cases:
            print(f"  {case.label} ...", flush=True)
            cases.append(run_case(scenario, case, arguments.bundle))
        result = {
            "schema_version": 1,
            "scenario": dataclasses.asdict(scenario),
            "machine": machine(),
            "remark": arguments.remark,
            "bundle": arguments.bundle.name,
            "cases": cases,
        }
        target = RESULTS / f"{scenario.name}.json"
        temporary = target.with_suffix(".tmp")
        temporary.write_text(json.dumps(result, indent=1) + "\n")
        temporary.replace(target)
    print(f"wrote {write_report(RESULTS)}")


if __name__ == "__main__":
    main()
