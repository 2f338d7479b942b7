"""The training loop that all stages share: optimiser, schedule, moving average, checkpoints, progress."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read or belongs to another run."""


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
        """Write the checkpoint under a temporary name, then rename it."""
        temporary = self.path.with_suffix(".tmp")
        torch.save(
            {
                "module": self.module.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "average": self.average,
                "generator": self.generator.get_state(),
                "step": self.step,
            },
            temporary,
        )
        temporary.replace(self.path)

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

    def run(
        self,
        loss_of: Callable[[nn.Module, torch.Generator], Tensor],
        on_save: Callable[[Trainer], None] | None = None,
    ) -> None:
        """Train to the last step, saving now and then; on_save follows each save."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        saved, window = time.monotonic(), []
        with Progress(*columns) as progress:
            task = progress.add_task(self.name, total=self.options.steps, completed=self.step)
            while self.step < self.options.steps:
                window.append(self.train_step(loss_of))
                if len(window) == 50:
                    self._log(sum(window) / len(window))
                    progress.update(task, description=f"{self.name} loss {sum(window) / len(window):.4f}")
                    window.clear()
                progress.update(task, completed=self.step)
                if time.monotonic() - saved > self.options.save_seconds:
                    self.save()
                    if on_save is not None:
                        on_save(self)
                    saved = time.monotonic()
        self.save()
        if on_save is not None:
            on_save(self)

    def _log(self, loss: float) -> None:
        with self.log_path.open("a") as file:
            file.write(json.dumps({"step": self.step, "loss": loss, "time": time.time()}) + "\n")
