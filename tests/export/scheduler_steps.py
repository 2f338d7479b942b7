"""Steps of the core's sampling tables, in float64 and by the fused pass, to be put beside diffusers'."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from vidrt import _core

Array = npt.NDArray[Any]


def config_json(scheduler: Any) -> str:
    """The whole config of a scheduler as strict JSON, which has no word for DPM's lambda_min_clipped = -inf."""
    config = json.loads(scheduler.to_json_string(), parse_constant=lambda word: None)
    return json.dumps(config, allow_nan=False)


def start(scheduler: Any, steps: int) -> Any:
    scheduler.set_timesteps(steps)
    scheduler.set_begin_index(0)  # as pipelines do; without it diffusers skips ahead where timesteps repeat
    return scheduler


class Double:
    """A step of the table in float64: what apply_step computes, without its rounding."""

    def __init__(self, table: Any, sample: Array) -> None:
        self.table, self.sample = table, sample
        self.previous: Array | None = None
        self.history: list[Array] = []

    def step(self, index: int, output: Array, noise: Array | None = None) -> None:
        c = self.table.steps[index]
        if noise is not None:
            missing = [np.zeros_like(noise)] * self.table.num_history  # no step reads them
            self.history = [*[*self.history, *missing][: self.table.num_history - 1], noise]
        m = c.to_m_sample * self.sample + c.to_m_output * output
        x = self.sample
        if c.correct:
            assert self.previous is not None
            x = c.c_prev * self.previous + c.c_m * m + self._combine(c.c_history)
        self.sample = c.p_sample * x + c.p_m * m + self._combine(c.p_history)
        self.previous = x
        self.history = [m, *self.history][: self.table.num_history]

    def _combine(self, coefficients: list[float]) -> Array:
        total = np.zeros_like(self.sample)
        for index, coefficient in enumerate(coefficients):
            if coefficient != 0.0:
                total += coefficient * self.history[index]
        return total


def relative(ours: Array, theirs: Array) -> float:
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


_GENERATOR = np.random.default_rng(0)
_WEIGHTS = _GENERATOR.standard_normal((48, 48)) / np.sqrt(48)
NOISE = _GENERATOR.standard_normal((1, 4, 48))


def velocity(sample: Array, timestep: float) -> Array:
    """A smooth denoiser whose output depends on the sample and the time, as a model's does."""
    result: Array = np.tanh(sample @ _WEIGHTS) * (1.0 + timestep / 1000.0) + 0.1 * sample
    return result


class Single:
    """Steps by the core's fused pass, in float32."""

    def __init__(self, table: Any, sample: Array) -> None:
        self.table, self.sample = table, sample.astype(np.float32)
        # What a step must not read is not a number here.
        self.previous = np.full_like(self.sample, np.nan) if table.needs_prev_sample else None
        self.history = [np.full_like(self.sample, np.nan) for _ in range(table.num_history)]

    def step(
        self,
        index: int,
        output: Array,
        negative: Array | None = None,
        guidance_scale: float = 1.0,
        noise: Array | None = None,
    ) -> None:
        if noise is not None:
            self.history[-1][:] = noise
        self.history = _core.scheduler_run_step(
            self.table,
            index,
            self.sample,
            output.astype(np.float32),
            output_negative=None if negative is None else negative.astype(np.float32),
            guidance_scale=guidance_scale,
            prev_sample=self.previous,
            history=self.history,
        )
