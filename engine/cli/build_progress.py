"""Live progress of `vidrt build` on stderr: one line a module, with what TensorRT is doing."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from vidrt.engine.builder import BuildEvent

_PHASE_WIDTH = 36


class BuildProgressLines:
    """Draws BuildEvents. Silent where it is told to be or stderr is no terminal."""

    def __init__(self, *, silent: bool) -> None:
        console = Console(stderr=True)
        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description:<18}"),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[phase]}"),
            console=console,
            disable=silent or not console.is_terminal,
        )

    def on_event(self, event: BuildEvent) -> None:
        """Show one event."""
        if event.module not in self._tasks:
            self._tasks[event.module] = self._progress.add_task(event.module, total=1.0, phase="")
        phase = event.phase[:_PHASE_WIDTH]
        if event.waiting:
            phase = "another process builds it; waiting"
        elif event.done == 1.0:
            phase = "was there" if event.reused else "built"
        self._progress.update(self._tasks[event.module], completed=event.done, phase=phase)

    def __enter__(self) -> BuildProgressLines:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
