"""The training loop that all stages share: optimiser, schedule, moving average, checkpoints, progress."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from vidrt.export.errors import CheckpointError

LOGGED_STEPS = 50
"""Steps whose mean loss is a line of the log; fewer at the end of a stage."""


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """How one stage trains. Steps, not minutes, so that a run can be repeated."""

    steps: int
    learning_rate: float
    weight_decay: float = 0.01
    warmup: int = 100
    ema: float = 0.999
    clip_norm: float = 1.0
    save_seconds: float = 120.0
    seed: int = 0


@contextlib.contextmanager
def interrupt_flag() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C or SIGTERM sets instead of breaking off what runs; a second one breaks off."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # which alone may have handlers
        yield flag
        return

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def set_flag(*_: object) -> None:
        restore()
        flag.set()

    # A job that a script put in the background ignores SIGINT, and shall.
    numbers = [one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) is not signal.SIG_IGN]
    before = {number: signal.signal(number, set_flag) for number in numbers}
    try:
        yield flag
    finally:
        restore()


class Trainer:
    """Trains a module with a loss that is a function of (module, generator); survives interruption."""

    def __init__(self, name: str, module: nn.Module, options: TrainOptions, folder: Path) -> None:
        self.name = name
        self.module = module
        self.options = options
        self.path = folder / f"{name}.pt"
        self.log_path = folder / f"{name}.jsonl"
        self.step = 0
        self.generator = torch.Generator().manual_seed(options.seed)
        self.optimizer = torch.optim.AdamW(
            module.parameters(), lr=options.learning_rate, betas=(0.9, 0.98), weight_decay=options.weight_decay
        )
        self.average = {name: value.detach().clone() for name, value in module.state_dict().items()}
        if self.path.is_file():
            self._resume()

    def _resume(self) -> None:
        try:
            state: dict[str, Any] = torch.load(self.path, weights_only=True)
            self.module.load_state_dict(state["module"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.average = state["average"]
            self.generator.set_state(state["generator"])
            self.step = state["step"]
        except Exception as error:
            reason = " ".join(str(error).split())
            raise CheckpointError(
                f"{self.path} cannot be resumed ({reason}); delete it to train this stage from the start."
            ) from error

    def save(self) -> None:
        """Write the checkpoint under a temporary name, then rename it.

        Raises:
            CheckpointError: it cannot be written; the one before stands.
        """
        temporary = self.path.with_suffix(".tmp")
        state = {
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
            "generator": self.generator.get_state(),
            "step": self.step,
        }
        try:
            torch.save(state, temporary)
            temporary.replace(self.path)
        except (OSError, RuntimeError) as error:  # torch tells of a full disk with a RuntimeError
            temporary.unlink(missing_ok=True)
            reason = str(error).splitlines()[0]
            raise CheckpointError(
                f"{self.path} cannot be written at step {self.step} ({reason}); the checkpoint before it stands. "
                "Make room on the disk and run the same command again."
            ) from error

    def load_average(self) -> nn.Module:
        """Put the moving average into the module and return it in eval mode."""
        self.module.load_state_dict(self.average)
        return self.module.eval()

    def _learning_rate(self) -> float:
        warm = min(1.0, (self.step + 1) / self.options.warmup)
        cosine = 0.5 * (1 + math.cos(math.pi * self.step / self.options.steps))
        return self.options.learning_rate * warm * max(cosine, 0.02)

    def _update_average(self) -> None:
        # A young average would remember the initial weights for long.
        decay = min(self.options.ema, (1 + self.step) / (10 + self.step))
        for name, value in self.module.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)

    def train_step(self, loss_of: Callable[[nn.Module, torch.Generator], Tensor]) -> float:
        """One optimiser step; returns the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        self.optimizer.zero_grad(set_to_none=True)
        loss = loss_of(self.module, self.generator)
        if not torch.isfinite(loss):
            raise CheckpointError(f"{self.name}: the loss is {loss.item()} at step {self.step}; lower learning_rate.")
        loss.backward()
        nn.utils.clip_grad_norm_(self.module.parameters(), self.options.clip_norm)
        self.optimizer.step()
        self.step += 1
        self._update_average()
        return loss.item()

    def run(self, loss_of: Callable[[nn.Module, torch.Generator], Tensor]) -> None:
        """Train to the last step, saving now and then.

        Raises:
            KeyboardInterrupt: Ctrl-C or SIGTERM; the step was ended and saved first. A second one does not wait.
            CheckpointError: the loss is no number, or a checkpoint cannot be written.
        """
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        begun, first_step = time.monotonic(), self.step
        saved, window = begun, []
        with Progress(*columns) as progress, interrupt_flag() as interrupted:
            task = progress.add_task(self.name, total=self.options.steps, completed=self.step)
            while self.step < self.options.steps and not interrupted.is_set():
                window.append(self.train_step(loss_of))
                if len(window) == LOGGED_STEPS or self.step == self.options.steps or interrupted.is_set():
                    loss = self._log(window)
                    progress.update(task, description=f"{self.name} loss {loss:.4f}")
                    window.clear()
                progress.update(task, completed=self.step)
                if time.monotonic() - saved > self.options.save_seconds:
                    self.save()
                    saved = time.monotonic()
                    if not progress.console.is_terminal:  # where no bar is drawn
                        progress.console.print(self._progress_line(begun, first_step))
        self.save()
        if interrupted.is_set():
            raise KeyboardInterrupt

    def _progress_line(self, begun: float, first_step: int) -> str:
        left = (time.monotonic() - begun) / (self.step - first_step) * (self.options.steps - self.step)
        return f"{self.name}: step {self.step} of {self.options.steps}, saved; {left / 60:.0f} minutes left"

    def _log(self, losses: list[float]) -> float:
        loss = sum(losses) / len(losses)
        with self.log_path.open("a") as file:
            file.write(json.dumps({"step": self.step, "loss": loss, "time": time.time()}) + "\n")
        return loss
