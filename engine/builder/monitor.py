"""How far TensorRT has come with a build, and the way to stop it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class BuildProgress:
    """What TensorRT's progress monitor has reported. TensorRT may report from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._phases: dict[str, _Phase] = {}
        self._fraction = 0.0
        self._cancelled = False

    def cancel(self) -> None:
        """Make TensorRT stop at the end of its current step."""
        self._cancelled = True

    @property
    def cancelled(self) -> bool:
        """Whether cancel() was called."""
        return self._cancelled

    @property
    def state(self) -> tuple[str, float]:
        """What TensorRT is doing, in its own words ("" before it begins), and the share that is done, 0 to 1."""
        with self._lock:
            return next(reversed(self._phases), ""), self._fraction

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """A phase begins, inside another or by itself."""
        with self._lock:
            self._phases[name] = _Phase(parent, max(steps, 1))

    def step(self, name: str) -> None:
        """A step of a phase is done."""
        with self._lock:
            if name in self._phases:
                self._phases[name].done += 1
            self._advance()

    def finish(self, name: str) -> None:
        """A phase is done, or given up."""
        with self._lock:
            self._phases.pop(name, None)

    def _advance(self) -> None:
        roots = [name for name, phase in self._phases.items() if phase.parent not in self._phases]
        if roots:
            # A phase that has ended counts only when its parent's step does: never go back in between.
            self._fraction = max(self._fraction, min(1.0, self._share(roots[0])))

    def _share(self, name: str) -> float:
        phase = self._phases[name]
        inner = [self._share(child) for child, other in self._phases.items() if other.parent == name]
        return (phase.done + max(inner, default=0.0)) / phase.steps


def make_monitor(api: Any, progress: BuildProgress) -> Any:
    """TensorRT's progress monitor over a BuildProgress; to be kept as long as the build runs."""

    class Monitor(api.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            api.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            progress.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            progress.step(phase_name)
            return not progress.cancelled

        def phase_finish(self, phase_name: str) -> None:
            progress.finish(phase_name)

    return Monitor()
