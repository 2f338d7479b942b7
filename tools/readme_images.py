"""Make the pictures of the READMEs with the shipped model: `make images`. Nothing is chosen.

The first is the demo's, whose prompt and seed the Makefile gives. The other prompts are fixed here, and the seed of
each is its place in the list: what a new model gets wrong is seen.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

import vidrt

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
PROMPTS = (
    "a small blue square moving up on a light background",
    "a large green triangle moving right slowly on a dark background",
    "a small yellow circle circling slowly on a dark background",
    "a large purple square standing still on a light background",
    "a small cyan triangle moving down quickly on a dark background",
    "a large red square circling fast on a light background",
    "a little violet ball moving left quickly on a light background",
    "a big green disc moving downwards slowly on a black background",
)
COLUMNS = 4
SCALE = 2
GAP = 4
CAPTION_WIDTH, CAPTION_HEIGHT = 24, 38
"""Letters a line, and pixels for three lines."""


def captioned(frames: npt.NDArray[np.uint8], prompt: str) -> list[Image.Image]:
    """Each frame, larger, under its prompt."""
    lines = "\n".join(textwrap.wrap(prompt, CAPTION_WIDTH))
    tiles = []
    for frame in frames:
        height, width = frame.shape[0] * SCALE, frame.shape[1] * SCALE
        tile = Image.new("RGB", (width + GAP, height + CAPTION_HEIGHT + GAP), "white")
        ImageDraw.Draw(tile).multiline_text((1, 2), lines, fill="black", font_size=9, spacing=2)
        tile.paste(Image.fromarray(frame).resize((width, height), Image.Resampling.NEAREST), (0, CAPTION_HEIGHT))
        tiles.append(tile)
    return tiles


def sheet(tiles: list[Image.Image]) -> Image.Image:
    """Tiles of one size in rows of COLUMNS."""
    width, height = tiles[0].size
    rows = -(-len(tiles) // COLUMNS)
    page = Image.new("RGB", (width * COLUMNS, height * rows), "white")
    for index, tile in enumerate(tiles):
        page.paste(tile, (index % COLUMNS * width, index // COLUMNS * height))
    return page


def main() -> None:
    """Generate every clip and write demo.gif and prompts.gif. Arguments: the demo's prompt and seed."""
    prompt, seed = sys.argv[1:]
    pipe = vidrt.TextToVideoPipeline(ROOT / "models" / "pocket")
    demo = pipe(prompt, seed=int(seed))
    demo.save(IMAGES / "demo.gif")
    clips = [captioned(pipe(text, seed=number).frames, text) for number, text in enumerate(PROMPTS)]
    pages = np.stack([np.asarray(sheet(list(tiles))) for tiles in zip(*clips, strict=True)])
    vidrt.Video(pages, demo.fps).save(IMAGES / "prompts.gif")
    print(f"wrote {IMAGES / 'demo.gif'} and {IMAGES / 'prompts.gif'}")


if __name__ == "__main__":
    main()
