"""Text to video in two passes, as ZeroScope's two models are meant: a small clip, then the same one larger.

    python examples/python/two_passes.py zeroscope-576 zeroscope-xl "a panda surfs" panda.mp4

The second pass starts from the first one's frames, enlarged, with the noise of `--strength` of its steps: it draws what
the small clip had no pixels for, and keeps what moves where. Both bundles may be the same one (docs/unet3d.md).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

import vidrt


def first_pass(arguments: argparse.Namespace) -> npt.NDArray[np.uint8]:
    """The small clip, (F, H, W, 3). Its pipeline ends here, so that one model is in memory at a time."""
    pipe = vidrt.TextToVideoPipeline(arguments.small_bundle)
    width, height = arguments.small_size
    video = pipe(
        arguments.prompt,
        height=height,
        width=width,
        num_frames=arguments.num_frames,
        num_inference_steps=arguments.steps,
        seed=arguments.seed,
    )
    return np.asarray(video.frames)


def second_pass(arguments: argparse.Namespace, clip: npt.NDArray[np.uint8]) -> vidrt.Video:
    """The clip at its full size."""
    pipe = vidrt.VideoToVideoPipeline(arguments.large_bundle)
    width, height = arguments.large_size
    return pipe(
        arguments.prompt,
        video=clip,
        strength=arguments.strength,
        height=height,
        width=width,
        num_inference_steps=arguments.steps,
        seed=arguments.seed,
    )


def size(text: str) -> tuple[int, int]:
    """Width and height of a size like 576x320."""
    width, height = text.split("x")
    return int(width), int(height)


def main() -> None:
    """Run both passes and write the video."""
    parser = argparse.ArgumentParser(description="Text to video in two passes: small, then the same clip larger.")
    parser.add_argument("small_bundle", type=Path, help="of the first pass, as zeroscope-576")
    parser.add_argument("large_bundle", type=Path, help="of the second, as zeroscope-xl")
    parser.add_argument("prompt")
    parser.add_argument("output", type=Path, help="NAME.mp4, .webm, .gif, .y4m or .npy")
    parser.add_argument("--small-size", type=size, default="576x320", help="WIDTHxHEIGHT (default: %(default)s)")
    parser.add_argument("--large-size", type=size, default="1024x576", help="WIDTHxHEIGHT (default: %(default)s)")
    parser.add_argument("--num-frames", type=int, default=24)
    parser.add_argument(
        "--steps", type=int, help="of each pass; the second runs a part of them (default: the bundle's)"
    )
    parser.add_argument("--strength", type=float, default=0.6, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    try:
        video = second_pass(arguments, first_pass(arguments))
        print(f"{video.save(arguments.output)}: {video}")
    except vidrt.Error as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
