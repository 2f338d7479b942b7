"""The evaluation as a Markdown page, JSON, and contact sheets."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from vidrt.engine.bench.share import Share

from .autoencoder import Reconstruction
from .evaluate import Evaluated, Judged
from .memorisation import Nearness
from .probe import VALUES, Frames

COLUMNS = 6
"""Frames of a clip shown in a row of a contact sheet."""
TEXT_HEIGHT = 14


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """All that is known of a bundle.

    Attributes:
        bundle: Its name.
        command: What was run.
        results: One of each setting, the most important first.
        reconstructions: The autoencoder alone, by the label of a setting.
        nearness: To the training clips, in the first setting.
    """

    bundle: str
    command: str
    results: list[Evaluated]
    reconstructions: dict[str, Reconstruction]
    nearness: Nearness


def share(judged: list[Judged], name: str) -> Share:
    """How often an attribute is right; the speed of still objects is left out."""
    counted = [one for one in judged if not (name == "speed" and one.asked.motion == "still")]
    return Share(sum(one.right(name) for one in counted), len(counted))


def one_object(judged: list[Judged]) -> Share:
    """How often every frame shows exactly one."""
    return Share(sum(one.measures.one_object for one in judged), len(judged))


def all_right(judged: list[Judged]) -> Share:
    """How often all attributes are right and there is exactly one object."""
    return Share(sum(one.all_right for one in judged), len(judged))


def rows(judged: list[Judged]) -> dict[str, str]:
    """What is reported of a set of clips."""
    result = {name: str(share(judged, name)) for name in VALUES}
    result["exactly one object"] = str(one_object(judged))
    result["all of these"] = str(all_right(judged))
    for name, unit in (("sharpness", "grey levels"), ("flicker", "grey levels"), ("jerk", "px/frame²")):
        values = np.array([getattr(one.measures, name) for one in judged])
        seen = values[np.isfinite(values)]
        result[name] = f"{seen.mean():.2f} {unit}" if len(seen) else "–"
    return result


def table(columns: dict[str, list[Judged]]) -> str:
    """Sets of clips side by side."""
    cells = {title: rows(judged) for title, judged in columns.items()}
    lines = ["| | " + " | ".join(f"{title} ({len(columns[title])})" for title in cells) + " |"]
    lines.append("|---" * (len(cells) + 1) + "|")
    for name in next(iter(cells.values())):
        lines.append(f"| {name} | " + " | ".join(column[name] for column in cells.values()) + " |")
    return "\n".join(lines)


def confusion(judged: list[Judged], name: str) -> str:
    """What was seen (columns) where something was asked for (rows)."""
    counts = Counter((getattr(one.asked, name), one.seen[name]) for one in judged)
    lines = [f"| {name} asked ↓ seen → | " + " | ".join(VALUES[name]) + " |", "|---" * (len(VALUES[name]) + 1) + "|"]
    for asked in VALUES[name]:
        lines.append(f"| {asked} | " + " | ".join(str(counts[asked, seen] or "·") for seen in VALUES[name]) + " |")
    return "\n".join(lines)


def contact_sheet(clips: list[tuple[Judged, Frames]], path: Path) -> None:
    """A row a clip: its prompt and what is wrong, then frames from its start to its end."""
    side = clips[0][1].shape[1]
    sheet = Image.new("RGB", (COLUMNS * (side + 2), len(clips) * (side + TEXT_HEIGHT + 2)), "white")
    draw = ImageDraw.Draw(sheet)
    for row, (judged, clip) in enumerate(clips):
        top = row * (side + TEXT_HEIGHT + 2)
        wrong = [f"{name}: {judged.seen[name]}" for name in VALUES if not judged.right(name)]
        wrong += [] if judged.measures.one_object else ["not one object"]
        draw.text((1, top + 1), f"{judged.prompt}  [{', '.join(wrong) or 'right'}]", fill="black")
        for column, index in enumerate(np.linspace(0, len(clip) - 1, COLUMNS).round().astype(int)):
            sheet.paste(Image.fromarray(clip[index]), (column * (side + 2), top + TEXT_HEIGHT))
    temporary = path.with_name(f".{path.name}")
    sheet.save(temporary, format="PNG")
    temporary.replace(path)


def _markdown(evaluation: Evaluation) -> str:
    parts = [f"# Evaluation of {evaluation.bundle}", "", f"Made by `{evaluation.command}`; do not edit.", ""]
    parts += [
        "Each attribute as a probe trained on real clips sees it, beside what it sees in real clips of the same kind; "
        "with 95 % intervals (Wilson). Flicker, sharpness and jerk are means over clips.",
        "",
    ]
    for result in evaluation.results:
        trained = [one for one in result.judged if not one.held_out]
        unseen = [one for one in result.judged if one.held_out]
        parts += [f"## {result.setting.label}", ""]
        parts += [table({"generated": trained, "combinations never trained": unseen, "real clips": result.real}), ""]
    parts += ["## The autoencoder alone", "", "Real clips that were not trained on, encoded and decoded:", ""]
    parts += [f"- {label}: {reconstruction}" for label, reconstruction in evaluation.reconstructions.items()]
    main = evaluation.results[0]
    parts += ["", f"## Copies of training clips ({main.setting.label})", ""]
    parts += [f"The median generated clip is {evaluation.nearness}.", ""]
    parts += [f"## What was taken for what ({main.setting.label})", ""]
    for name in ("shape", "motion", "size", "speed"):
        parts += [confusion(main.judged, name), ""]
    if main.worst:
        parts += ["The worst of them: [worst.png](worst.png). The first, not chosen: [first.png](first.png).", ""]
    return "\n".join(parts)


def write_report(folder: Path, evaluation: Evaluation) -> Path:
    """Write EVALUATION.md, clips.json, worst.png and first.png into a folder; returns the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    main = evaluation.results[0]
    contact_sheet(main.first, folder / "first.png")
    if main.worst:
        contact_sheet(main.worst, folder / "worst.png")
    clips = [
        {"setting": result.setting.label, **dataclasses.asdict(one), "all_right": one.all_right}
        for result in evaluation.results
        for one in result.judged
    ]
    for name, text in (("clips.json", json.dumps(clips)), ("EVALUATION.md", _markdown(evaluation))):
        temporary = folder / f".{name}"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(folder / name)
    return folder / "EVALUATION.md"
