"""Live progress of `vidrt build` on stderr: one line a module, with what TensorRT is doing."""

from __future__ import annotations

from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from vidrt.engine.builder import BuildEvent
from vidrt.engine.cli.progress import ProgressLines

_PHASE_WIDTH = 36


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
