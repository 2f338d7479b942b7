"""`vidrt doctor`: what is installed, what is found, what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from vidrt.engine.cli import arguments as arg
from vidrt.engine.cli.exit_codes import BACKEND
from vidrt.engine.cli.text import print_json

if TYPE_CHECKING:
    from vidrt.engine.doctor import Report

_STATUS_WIDTH, _NAME_WIDTH = 16, 27


def doctor(json: arg.Json = False) -> None:
    """Show what this machine and installation can run, and what to do about what is missing.

    Exit code 4 means that nothing can be generated here; what is missing besides is no failure.
    """
    from vidrt.engine.doctor import diagnose

    report = diagnose()
    if json:
        print_json(report.to_dict())
    else:
        print("\n".join(lines(report)))
    if not report.can_generate:
        raise typer.Exit(BACKEND)


def lines(report: Report) -> Iterator[str]:
    """The report for people: a line a row, and below it what a row in trouble disables and how to mend it."""
    vidrt, python, system = (report.facts[name] for name in ("vidrt", "python", "system"))
    yield f"vidrt {vidrt['version']} ({vidrt['compiler']}{', assertions' if vidrt['assertions'] else ''})"
    yield f"{python['implementation']} {python['version']}"
    yield f"{system['name']}, kernel {system['kernel']}, {system['machine']}, {system['cores']} cores"
    yield "packages: " + ", ".join(f"{name} {version}" for name, version in report.facts["packages"].items() if version)
    yield from (f"{name}={value}" for name, value in report.facts["environment"].items())
    yield ""
    indent = " " * (_STATUS_WIDTH + _NAME_WIDTH)
    for check in report.checks:
        finding = check.finding
        yield f"{finding.status.words:{_STATUS_WIDTH}}{check.row.name:{_NAME_WIDTH}}{finding.value}"
        if check.is_trouble:
            yield f"{indent}disables: {check.row.disables}"
        if finding.fix is not None:
            yield f"{indent}fix: {finding.fix}"
    yield ""
    yield "Videos can be generated here." if report.can_generate else "Nothing can be generated here: see above."
