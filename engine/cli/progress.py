"""Live progress on stderr: one line for each thing that goes on, and those of a generation with the time left."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from vidrt.engine.events import StageEvent

if TYPE_CHECKING:
    from typing_extensions import Self

_UNITS = {"load": "modules", "encode": "prompts", "encode_image": "images", "denoise": "steps", "decode": "frames"}


class ProgressLines:
    """A line for each thing that goes on. Silent where it is told to be or stderr is no terminal."""

    def __init__(self, *columns: ProgressColumn, silent: bool) -> None:
        console = Console(stderr=True)
        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(*columns, console=console, disable=silent or not console.is_terminal)

    @property
    def drawn(self) -> bool:
        """Whether there is anything to see."""
        return not self._progress.disable

    def update(self, name: str, *, done: float, total: float, **fields: Any) -> None:
        """Show how far one has come; `fields` are what the columns show besides."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, **fields)
        self._progress.update(self._tasks[name], completed=done, total=total, **fields)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


class StageProgress(ProgressLines):
    """Draws StageEvents."""

    def __init__(self, *, silent: bool) -> None:
        super().__init__(
            TextColumn("{task.description:<8}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]:<8}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(compact=True),
            silent=silent,
        )

    def on_stage(self, event: StageEvent) -> None:
        """Show one event."""
        name = "images" if event.stage == "encode_image" else event.stage
        self.update(name, done=event.done, total=event.total, unit=_UNITS[event.stage])
