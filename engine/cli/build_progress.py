"""Engines being built, for people: a line a module on stderr with what TensorRT is doing, and Ctrl-C."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import typer
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from vidrt.engine.builder import BuildEvent
from vidrt.engine.cli.exit_codes import CANCELLED
from vidrt.engine.cli.interrupt import cancel_on_interrupt
from vidrt.engine.cli.progress import ProgressLines
from vidrt.engine.errors import Cancelled

_PHASE_WIDTH = 36

OnBuild = Callable[[BuildEvent], object]


class BuildProgressLines(ProgressLines):
    """Draws BuildEvents."""

    def __init__(self, *, silent: bool) -> None:
        super().__init__(
            TextColumn("{task.description:<18}"),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[phase]}"),
            silent=silent,
        )

    def on_event(self, event: BuildEvent) -> None:
        """Show one event."""
        phase = event.phase[:_PHASE_WIDTH]
        if event.waiting:
            phase = "another process builds it; waiting"
        elif event.done == 1.0:
            phase = "was there" if event.reused else "built"
        self.update(event.module, done=event.done, total=1.0, phase=phase)


@contextlib.contextmanager
def shown_builds(*, silent: bool) -> Iterator[OnBuild]:
    """Give what shows the events of builds, and ends a build on Ctrl-C.

    Raises:
        typer.Exit: It was cancelled. The user was told which engines are kept.
    """
    finished: list[str] = []
    with BuildProgressLines(silent=silent) as lines, cancel_on_interrupt() as token:

        def on_build(event: BuildEvent) -> None:
            lines.on_event(event)
            if event.done == 1.0:
                finished.append(event.module)
                if not (silent or lines.drawn or event.reused):
                    print(f"built the engine of {event.module}", file=sys.stderr)
            elif token.cancelled:
                raise Cancelled(f"the build of {event.module} was cancelled.")

        try:
            yield on_build
            return
        except Cancelled:
            pass
    print(
        f"cancelled; finished engines are kept ({', '.join(finished) or 'none'}), and nothing half-built.",
        file=sys.stderr,
    )
    raise typer.Exit(CANCELLED)


def missing_engines_built(wanted: bool, *, silent: bool) -> contextlib.AbstractContextManager[OnBuild | None]:
    """What a pipeline is given that builds missing engines (--build-engines), from shown_builds(); else None."""
    return shown_builds(silent=silent) if wanted else contextlib.nullcontext()
