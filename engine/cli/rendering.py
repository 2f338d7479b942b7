"""A running generation or decode into a video file: progress, Ctrl-C, and the frames kept when it was cancelled."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import typer

from vidrt.engine.cli.exit_codes import CANCELLED
from vidrt.engine.cli.interrupt import cancel_on_interrupt
from vidrt.engine.cli.progress import StageProgress
from vidrt.engine.errors import Cancelled
from vidrt.engine.events import Callbacks
from vidrt.engine.plan import GenerationPlan
from vidrt.engine.video import Video
from vidrt.engine.writers import VideoWriter, partial_path


def render(
    run: Callable[[Callbacks], Video], writer: VideoWriter, plan: GenerationPlan, target: Path, *, silent: bool
) -> Video:
    """Run into the writer.

    Raises:
        typer.Exit: It was cancelled. The finished frames are kept as NAME.partial, and the user was told.
    """
    with StageProgress(silent=silent) as progress, cancel_on_interrupt() as token:
        callbacks = Callbacks(
            on_stage=progress.on_stage,
            on_frames=lambda event: writer.write(event.frames),
            on_warning=lambda message: print(f"warning: {message}", file=sys.stderr),
            cancel=token,
        )
        try:
            return run(callbacks)
        except Cancelled:
            pass
    _keep_partial(writer, target, plan)
    raise typer.Exit(CANCELLED)


def _keep_partial(writer: VideoWriter, target: Path, plan: GenerationPlan) -> None:
    if writer.num_frames == 0:
        writer.discard()
        print("cancelled before the first frame; nothing was written.", file=sys.stderr)
        return
    kept = writer.close(partial_path(target))
    print(f"cancelled; kept {writer.num_frames} of {plan.num_frames} frames in {kept}", file=sys.stderr)
