"""Generate clips for many prompts, look at each with the probe and the measures, and the same at real clips."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt

import vidrt
from vidrt.export.pocket.captions import Attributes, all_attributes, caption, held_out, training_attributes
from vidrt.export.pocket.render import ClipSize, render

from .measures import Measures, measure
from .probe import VALUES, Frames, Probe

HELD_OUT_EVERY = 10
"""One prompt in so many asks for a combination that training never saw."""
REAL_CLIPS = 300
"""At most so many drawn clips are looked at beside generated ones."""
WORST = 24
"""Clips kept for the contact sheet of the worst."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """A length and a size (height = width, pixels), and how many prompts."""

    num_frames: int
    side: int
    prompts: int

    @property
    def size(self) -> ClipSize:
        """Of its clips."""
        return ClipSize(self.num_frames, self.side, self.side)

    @property
    def options(self) -> vidrt.GenerateOptions:
        """Its clips, with the bundle's defaults besides."""
        return vidrt.GenerateOptions(num_frames=self.num_frames, height=self.side, width=self.side)

    @property
    def label(self) -> str:
        """As tables show it."""
        return f"{self.side}x{self.side}, {self.num_frames} frames"


@dataclasses.dataclass(frozen=True)
class Judged:
    """One clip: what was asked for, what the probe sees, what was measured."""

    prompt: str
    seed: int
    asked: Attributes
    seen: dict[str, str]
    confidence: float
    measures: Measures

    @property
    def held_out(self) -> bool:
        """Whether training never saw this combination."""
        return self.asked.key() in held_out()

    def right(self, name: str) -> bool:
        """Whether an attribute is as asked. The speed of a still object has no meaning and counts as right."""
        if name == "speed" and self.asked.motion == "still":
            return True
        return bool(self.seen[name] == getattr(self.asked, name))

    @property
    def all_right(self) -> bool:
        """All six attributes, and exactly one object."""
        return self.measures.one_object and all(self.right(name) for name in VALUES)


def judge(clip: Frames, prompt: str, seed: int, asked: Attributes, probe: Probe) -> Judged:
    """Look at one clip."""
    chances = probe.classify(clip)
    seen = {name: VALUES[name][int(values.argmax())] for name, values in chances.items()}
    asked_for = [chances[name][VALUES[name].index(getattr(asked, name))] for name in VALUES if name != "speed"]
    return Judged(prompt, seed, asked, seen, float(min(asked_for)), measure(clip))


Asked = tuple[int, str, Attributes]
"""A seed, a prompt that names every attribute, and the attributes."""


def ask(count: int, seed: int) -> Iterator[Asked]:
    """So many prompts."""
    rng = random.Random(seed)
    unseen = [one for one in all_attributes() if one.key() in held_out()]
    for index in range(count):
        asked = rng.choice(unseen if index % HELD_OUT_EVERY == HELD_OUT_EVERY - 1 else training_attributes())
        yield seed * 1_000_000 + index, caption(asked, rng, drop=0.0), asked


def judge_real(setting: Setting, count: int, seed: int, probe: Probe) -> list[Judged]:
    """The ceiling: the probe and the measures on clips drawn from the attributes."""
    rng = np.random.default_rng(seed)
    size = setting.size
    return [judge(render(asked, size, rng)[0], prompt, -1, asked, probe) for _, prompt, asked in ask(count, seed)]


def judge_generated(
    pipe: vidrt.TextToVideoPipeline, options: vidrt.GenerateOptions, asked: Iterable[Asked], probe: Probe
) -> Iterator[tuple[Judged, Frames]]:
    """Generate every prompt with the options, whose own prompt and seed do not count; each clip and what is seen."""
    for seed, prompt, attributes in asked:
        own = dataclasses.replace(options, prompt=prompt, seed=seed)
        video = pipe.generate(own, vidrt.Callbacks(on_warning=lambda _: None))
        clip: npt.NDArray[np.uint8] = np.array(video.frames)
        yield judge(clip, prompt, seed, attributes, probe), clip


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """All clips of a setting, and the frames of those that failed worst and of the first."""

    setting: Setting
    judged: list[Judged]
    real: list[Judged]
    worst: list[tuple[Judged, Frames]]
    first: list[tuple[Judged, Frames]]


def evaluate(
    pipe: vidrt.TextToVideoPipeline,
    probe: Probe,
    setting: Setting,
    seed: int,
    on_clip: Callable[[Frames], object] = lambda _: None,
) -> Evaluated:
    """Look at every prompt of a setting, and at real clips; on_clip is given each generated one."""
    judged: list[Judged] = []
    worst: list[tuple[Judged, Frames]] = []
    first: list[tuple[Judged, Frames]] = []
    for one, clip in judge_generated(pipe, setting.options, ask(setting.prompts, seed), probe):
        judged.append(one)
        if len(first) < WORST:
            first.append((one, clip))
        if not one.all_right:
            worst = sorted([*worst, (one, clip)], key=lambda pair: pair[0].confidence)[:WORST]
        on_clip(clip)
    real = judge_real(setting, min(REAL_CLIPS, setting.prompts), seed + 1, probe)
    return Evaluated(setting, judged, real, worst, first)
