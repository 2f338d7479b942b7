"""Captions say what the clips show, in words that both tokenizers know, and held-out combinations stay unseen."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
from pathlib import Path

import numpy as np
import pytest

import vidrt
from vidrt.export.pocket.captions import (
    BACKGROUNDS,
    COLOURS,
    EXCLUSIVE_WORDS,
    MOTIONS,
    SHAPES,
    SIZES,
    SPEEDS,
    UNKNOWN,
    Attributes,
    all_attributes,
    caption,
    held_out,
    tokenize,
    training_attributes,
    vocabulary,
)
from vidrt.export.pocket.config import PocketConfig
from vidrt.export.pocket.dataset import draw_clips, load_attributes, load_frames
from vidrt.export.pocket.render import BACKGROUND, COLOUR, ClipSize, render

WORDS = {word: index for index, word in enumerate(vocabulary())}
TABLES = {"shape": SHAPES, "colour": COLOURS, "size": SIZES, "motion": MOTIONS, "speed": SPEEDS}
ALWAYS_SAID = ("shape", "colour", "motion")


def said(text: str, table: dict[str, list[str]]) -> set[str]:
    """The values of an attribute that a text names, whole words only."""
    padded = f" {text} "
    return {value for value, phrases in table.items() for phrase in phrases if f" {phrase} " in padded}


def test_a_caption_says_the_clips_attributes_and_no_others() -> None:
    rng = random.Random(0)
    for attributes in all_attributes():
        for _ in range(4):
            text = caption(attributes, rng)
            scene, _, ground = text.partition(" background")[0].rpartition(" a ")
            for name, table in TABLES.items():
                values = said(scene if scene else text, table)
                assert values <= {getattr(attributes, name)}, (text, name)
                assert values or name not in ALWAYS_SAID, (text, name)
            if "background" in text:
                assert ground in BACKGROUNDS[attributes.background], text


def test_every_caption_fits_the_model_and_has_no_unknown_word() -> None:
    rng = random.Random(1)
    length = PocketConfig().text.max_length
    for attributes in all_attributes():
        assert UNKNOWN not in tokenize(caption(attributes, rng), WORDS, length)
    assert len(WORDS) <= PocketConfig().text.vocab_size
    with pytest.raises(ValueError, match="has 31 tokens, the text encoder takes 24"):
        tokenize("red " * 30, WORDS, length)


def test_the_cores_tokenizer_gives_the_ids_of_training(pocket_bundle: Path) -> None:
    tokenizer = vidrt.Bundle(pocket_bundle).tokenizer
    rng = random.Random(2)
    odd = ["RED Circle!", "a  red\tcircle,moving-left", "rot, grün: 红色 circle's", "...", "3 balls", "été\u00a0ball"]
    texts = odd + [caption(rng.choice(all_attributes()), rng) for _ in range(3000)]
    alphabet = [*WORDS, "Ω", "!", "'", "-", "\n", "Blue", "x9"]
    texts += [" ".join(rng.choices(alphabet, k=rng.randint(1, 12))) for _ in range(3000)]
    for text in texts:
        assert list(tokenizer.encode(text).ids) == tokenize(text, WORDS, 10**6), text


def contradictions(text: str) -> dict[str, set[int]]:
    """Of each kind of which a text names several values, their indices."""
    named = {}
    for kind, values in EXCLUSIVE_WORDS.items():
        table = {str(index): phrases for index, phrases in enumerate(values)}
        named[kind] = {int(index) for index in said(text, table)}
    return {kind: values for kind, values in named.items() if len(values) > 1}


def test_a_caption_names_one_of_each_kind_and_two_captions_together_contradict_each_other() -> None:
    rng = random.Random(3)
    for attributes in all_attributes():
        for _ in range(4):
            assert contradictions(caption(attributes, rng)) == {}
    for name, table in {**TABLES, "background": BACKGROUNDS}.items():
        for first, second in itertools.combinations(table, 2):
            one = Attributes("circle", "red", "small", "left", "slow", "dark")
            texts = [caption(dataclasses.replace(one, **{name: value}), rng, drop=0.0) for value in (first, second)]
            assert name in contradictions(" ".join(texts)), texts


def test_the_shipped_bundle_warns_of_what_captions_never_say(pocket_bundle: Path) -> None:
    assert vidrt.Bundle(pocket_bundle).manifest.exclusive_words == EXCLUSIVE_WORDS


def test_held_out_combinations_are_real_and_never_trained() -> None:
    keys = {attributes.key() for attributes in all_attributes()}
    assert held_out()
    assert held_out() <= keys
    assert held_out().isdisjoint(attributes.key() for attributes in training_attributes())
    for table in (SHAPES, COLOURS, MOTIONS):  # each value alone is seen in training
        for value in table:
            assert any(value in attributes.key().split() for attributes in training_attributes())


def test_a_drawn_folder_shows_what_it_says_and_is_drawn_once(tmp_path: Path) -> None:
    size = ClipSize(num_frames=5, height=32, width=32)
    draw_clips(tmp_path, 12, 3, size)
    attributes = load_attributes(tmp_path)
    assert all(one.key() not in held_out() for one in attributes)
    frames = np.array(load_frames(tmp_path))
    for clip, shown in zip(frames, attributes, strict=True):
        corner = np.abs(clip[0, 0, 0].astype(int) - BACKGROUND[shown.background]).max()
        assert corner <= 1
        colours = np.abs(clip.reshape(-1, 3).astype(int) - COLOUR[shown.colour]).max(axis=1)
        assert colours.min() <= 1
    stamp = (tmp_path / "frames.npy").stat().st_mtime_ns
    draw_clips(tmp_path, 12, 3, size)
    assert (tmp_path / "frames.npy").stat().st_mtime_ns == stamp
    draw_clips(tmp_path, 12, 4, size)
    assert not np.array_equal(np.array(load_frames(tmp_path)), frames)
    assert json.loads((tmp_path / "request.json").read_text())["seed"] == 4


def centroids(attributes: Attributes, seed: int = 0, num_frames: int = 17) -> np.ndarray:
    _, mask = render(attributes, ClipSize(num_frames=num_frames), np.random.default_rng(seed))
    rows, columns = np.mgrid[0:64, 0:64]
    weight = mask.sum(axis=(1, 2))
    return np.stack([(mask * columns).sum(axis=(1, 2)) / weight, (mask * rows).sum(axis=(1, 2)) / weight], axis=1)


@pytest.mark.parametrize(("motion", "axis", "sign"), [("left", 0, -1), ("right", 0, 1), ("up", 1, -1), ("down", 1, 1)])
def test_straight_motion_goes_where_it_says(motion: str, axis: int, sign: int) -> None:
    for seed in range(5):
        steps = np.diff(centroids(Attributes("circle", "red", "small", motion, "slow", "dark"), seed), axis=0)
        assert (sign * steps[:, axis] > 0.5).all()
        assert np.abs(steps[:, 1 - axis]).max() < 0.05


def test_still_things_stay_and_circling_ones_keep_their_distance_from_a_centre() -> None:
    still = centroids(Attributes("square", "blue", "large", "still", "slow", "light"))
    assert np.ptp(still, axis=0).max() < 1e-3
    orbit = centroids(Attributes("circle", "blue", "small", "circling", "fast", "light"), num_frames=20)
    distance = np.linalg.norm(orbit - (orbit.max(axis=0) + orbit.min(axis=0)) / 2, axis=1)
    assert np.ptp(distance) < 0.15 * distance.mean()
    assert distance.mean() > 5


def test_fast_is_faster_and_large_is_larger() -> None:
    speeds = [
        np.abs(np.diff(centroids(Attributes("circle", "red", "small", "left", speed, "dark"))[:6], axis=0)).max()
        for speed in ("slow", "fast")
    ]
    assert speeds[1] > 1.8 * speeds[0]
    areas = [
        render(Attributes("square", "red", size, "still", "slow", "dark"), ClipSize(1), np.random.default_rng(0))[
            1
        ].sum()
        for size in ("small", "large")
    ]
    assert areas[1] > 2 * areas[0]


@pytest.mark.parametrize("shape", SHAPES)
def test_an_object_bounces_and_stays_in_the_picture(shape: str) -> None:
    for motion in MOTIONS:
        attributes = Attributes(shape, "red", "large", motion, "fast", "dark")
        _, mask = render(attributes, ClipSize(num_frames=65), np.random.default_rng(1))
        areas = mask.sum(axis=(1, 2))
        assert areas.min() > 0.97 * areas.max(), motion  # a triangle's tip may touch the edge
