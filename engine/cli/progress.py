"""Live progress on stderr: one line a stage, with the time left."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from vidrt.engine.events import StageEvent

_UNITS = {"load": "modules", "encode": "prompts", "denoise": "steps", "decode": "frames"}


class StageProgress:
    """Draws StageEvents. Silent where it is told to be or stderr is no terminal."""

    def __init__(self, *, silent: bool) -> None:
        console = Console(stderr=True)
        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description:<8}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]:<8}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(compact=True),
            console=console,
            disable=silent or not console.is_terminal,
        )

    def on_stage(self, event: StageEvent) -> None:
        """Show one event."""
        if event.stage not in self._tasks:
            self._tasks[event.stage] = self._progress.add_task(event.stage, unit=_UNITS[event.stage])
        self._progress.update(self._tasks[event.stage], completed=event.done, total=event.total)

    def __enter__(self) -> StageProgress:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
