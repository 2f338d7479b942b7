"""What the clips show, the sentences that describe it, and the vocabulary of those sentences."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
import re
from pathlib import Path

PAD, UNKNOWN, END = 0, 1, 2
SPECIAL_TOKENS = ("<pad>", "<unk>", "<eos>")

SHAPES = {"circle": ["circle", "disc", "ball"], "square": ["square", "box"], "triangle": ["triangle"]}
COLOURS = {
    "red": ["red"],
    "green": ["green"],
    "blue": ["blue"],
    "yellow": ["yellow"],
    "purple": ["purple", "violet"],
    "cyan": ["cyan", "turquoise"],
}
SIZES = {"small": ["small", "little"], "large": ["large", "big"]}
MOTIONS = {
    "left": ["moving left", "going left", "moving to the left"],
    "right": ["moving right", "going right", "moving to the right"],
    "up": ["moving up", "going up", "moving upwards"],
    "down": ["moving down", "going down", "moving downwards"],
    "still": ["standing still", "not moving"],
    "circling": ["circling", "moving in circles", "going around in circles"],
}
SPEEDS = {"slow": ["slowly"], "fast": ["quickly", "fast"]}
BACKGROUNDS = {"dark": ["dark", "black"], "light": ["light", "white"]}
EXCLUSIVE_WORDS: dict[str, list[list[str]]] = {
    "shape": list(SHAPES.values()),
    "colour": list(COLOURS.values()),
    "size": list(SIZES.values()),
    "motion": [["left"], ["right"], ["up", "upwards"], ["down", "downwards"], ["still", "not moving"],
               ["circling", "circles"]],
    "speed": [*SPEEDS.values(), ["still", "not moving"]],
    "background": list(BACKGROUNDS.values()),
}  # fmt: skip
"""A clip shows one of each, so a prompt that names two of a kind contradicts itself. Motions stand here by the words
that tell them apart; what stands still has no speed."""
DROP_PROBABILITY = 0.15
"""How often size, speed and background are left out of a caption, so that short prompts work."""


@dataclasses.dataclass(frozen=True)
class Attributes:
    """What one clip shows. `speed` has no meaning for a still object and is `slow` there."""

    shape: str
    colour: str
    size: str
    motion: str
    speed: str
    background: str

    def key(self) -> str:
        """The part that may be held out of training: shape, colour and motion."""
        return f"{self.shape} {self.colour} {self.motion}"


def all_attributes() -> list[Attributes]:
    """Every combination, in a fixed order."""
    combinations = itertools.product(SHAPES, COLOURS, SIZES, MOTIONS, SPEEDS, BACKGROUNDS)
    return [Attributes(*values) for values in combinations if not (values[3] == "still" and values[4] == "fast")]


def held_out() -> frozenset[str]:
    """Keys of the combinations that training never sees; fixed before the first training run."""
    return frozenset(json.loads(Path(__file__).with_name("held_out.json").read_text()))


def training_attributes() -> list[Attributes]:
    """Every combination that training may see."""
    excluded = held_out()
    return [attributes for attributes in all_attributes() if attributes.key() not in excluded]


def caption(attributes: Attributes, rng: random.Random, drop: float = DROP_PROBABILITY) -> str:
    """Describe a clip with random synonyms; size, speed and background are each left out with probability `drop`."""

    def dropped() -> bool:
        return rng.random() < drop

    words = [] if dropped() else [rng.choice(SIZES[attributes.size])]
    words += [rng.choice(COLOURS[attributes.colour]), rng.choice(SHAPES[attributes.shape])]
    motion = rng.choice(MOTIONS[attributes.motion])
    if attributes.motion != "still" and not dropped():
        speed = rng.choice(SPEEDS[attributes.speed])
        # "fast" only follows the verb: "moving left fast", but "quickly moving left" as well.
        before = speed != "fast" and rng.random() < 0.3
        motion = f"{speed} {motion}" if before else f"{motion} {speed}"
    sentence = " ".join([*words, motion])
    if rng.random() < 0.9:
        sentence = f"{rng.choice(['a', 'the'])} {sentence}"
    if not dropped():
        sentence += f" {rng.choice(['on', 'over'])} a {rng.choice(BACKGROUNDS[attributes.background])} background"
    return sentence


def vocabulary() -> list[str]:
    """Special tokens, then every word a caption can hold, sorted; the position is the id."""
    synonyms = [SHAPES, COLOURS, SIZES, MOTIONS, SPEEDS, BACKGROUNDS]
    phrases = [phrase for table in synonyms for values in table.values() for phrase in values]
    words = {word for phrase in [*phrases, "a the on over background"] for word in split_words(phrase)}
    return [*SPECIAL_TOKENS, *sorted(words)]


def split_words(text: str) -> list[str]:
    """Words of a text: runs of a-z, 0-9, ' and anything outside ASCII, after lowering ASCII letters."""
    lowered = "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)
    return re.findall(r"[a-z0-9'\u0080-\U0010ffff]+", lowered)


def tokenize(text: str, words: dict[str, int], max_length: int) -> list[int]:
    """Ids of a text, the end marker last, not padded.

    Raises:
        ValueError: the text has more tokens than the model takes.
    """
    ids = [words.get(word, UNKNOWN) for word in split_words(text)] + [END]
    if len(ids) > max_length:
        raise ValueError(f"{text!r} has {len(ids)} tokens, the text encoder takes {max_length}.")
    return ids
