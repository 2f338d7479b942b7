"""`vidrt doctor`: what is installed, what is found, what is missing."""

from __future__ import annotations

from typing import Any

from vidrt.engine.cli import arguments as arg
from vidrt.engine.cli.text import human_bytes, print_json


def doctor(json: arg.Json = False) -> None:
    """Show what this machine and installation can run, and what to do about what is missing."""
    from vidrt.engine.doctor import diagnose

    diagnosis = diagnose()
    if json:
        print_json({**diagnosis.facts, "suggestions": diagnosis.suggestions})
        return
    for section, facts in diagnosis.facts.items():
        print(section)
        for name, value in facts.items():
            print(f"  {name}: {_show(name, value)}")
    print()
    for suggestion in diagnosis.suggestions:
        print(f"- {suggestion}")
    if not diagnosis.suggestions:
        print("Everything for generating videos is here.")


def _show(name: str, value: Any) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return "; ".join(f"{key} {_show(key, inner)}" for key, inner in value.items())
    return human_bytes(value) if name.endswith("_bytes") else str(value)
