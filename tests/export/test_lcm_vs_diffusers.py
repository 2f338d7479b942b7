"""Steps with fresh noise, and chosen timesteps, against diffusers' FlowMatch schedulers."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FlowMatchLCMScheduler
from diffusers.schedulers import scheduling_flow_match_lcm

from vidrt import _core

_spec = importlib.util.spec_from_file_location("scheduler_steps", Path(__file__).with_name("scheduler_steps.py"))
assert _spec is not None
assert _spec.loader is not None
_steps = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_steps)

# diffusers hands tensors to np.array in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

KINDS = {"lcm": FlowMatchLCMScheduler, "euler": FlowMatchEulerDiscreteScheduler}
FASTWAN = [1000, 757, 522]
CHOSEN = [FASTWAN, [999, 500], [1000, 937.5, 833.3, 625], [1], [17.25, 0.5]]


def table_of(scheduler: Any, steps: int, timesteps: list[float] | None = None, first: int = 0) -> Any:
    config = json.loads(_steps.config_json(scheduler))
    if timesteps is not None:
        config["timesteps"] = timesteps
    return _core.scheduler_table(json.dumps(config), "", steps, first)


def noise_of(step: int) -> Any:
    return _core.standard_normal(7, _steps.NOISE.size, stream=step + 1).reshape(_steps.NOISE.shape)


class Theirs:
    """A run of diffusers' FlowMatchLCMScheduler, which is given the noise that the core makes."""

    def __init__(self, scheduler: Any, sample: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scheduler, self.sample = scheduler, torch.from_numpy(sample)
        self._noise = torch.zeros_like(self.sample)
        monkeypatch.setattr(scheduling_flow_match_lcm, "randn_tensor", lambda *_, **__: self._noise)

    def step(self, index: int, noise: Any) -> None:
        timestep = self.scheduler.timesteps[index]
        output = torch.from_numpy(_steps.velocity(self.sample.numpy(), float(timestep)))
        self._noise = torch.from_numpy(noise)
        self.sample = self.scheduler.step(output, timestep, self.sample).prev_sample


@pytest.mark.parametrize("train", [1000, 500, 37])
@pytest.mark.parametrize("shift", [0.3, 1.0, 3.0, 8.0, 17.0])
def test_timesteps_and_sigmas_spread_over_training_equal_diffusers_exactly(shift: float, train: int) -> None:
    scheduler = FlowMatchLCMScheduler(shift=shift, num_train_timesteps=train)
    for steps in [*range(1, 61), 100]:
        scheduler.set_timesteps(steps)
        table = table_of(scheduler, steps)
        assert table.timesteps.tolist() == scheduler.timesteps.double().tolist(), steps
        assert table.sigmas == scheduler.sigmas.double().tolist(), steps


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shift", [0.3, 1.0, 3.0, 8.0, 17.0])
@pytest.mark.parametrize("timesteps", CHOSEN, ids=str)
def test_chosen_timesteps_and_their_sigmas_equal_diffusers_exactly(
    kind: str, shift: float, timesteps: list[float]
) -> None:
    scheduler = KINDS[kind](shift=shift)
    scheduler.set_timesteps(timesteps=timesteps)
    table = table_of(scheduler, len(timesteps), timesteps)
    assert (table.name, table.adds_noise) == (kind, kind == "lcm")
    assert table.timesteps.tolist() == scheduler.timesteps.double().tolist()
    assert table.sigmas == scheduler.sigmas.double().tolist()


def test_fastwans_timesteps_are_thousandths_of_noise() -> None:
    table = table_of(FlowMatchLCMScheduler(), 3, FASTWAN)
    assert table.timesteps.tolist() == FASTWAN
    assert table.sigmas == pytest.approx([1.0, 0.757, 0.522, 0.0], abs=1e-7)


@pytest.mark.parametrize("shift", [0.3, 1.0, 8.0])
@pytest.mark.parametrize("timesteps", [*CHOSEN, 1, 4, 50], ids=str)
def test_whole_trajectories_with_the_same_noise_are_within_1e_6_of_diffusers(
    timesteps: list[float] | int, shift: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = FlowMatchLCMScheduler(shift=shift)
    given = None if isinstance(timesteps, int) else timesteps
    steps = timesteps if isinstance(timesteps, int) else len(timesteps)
    scheduler.set_timesteps(steps, timesteps=given)
    table = table_of(scheduler, steps, given)
    theirs = Theirs(scheduler, _steps.NOISE, monkeypatch)
    ours, fused = _steps.Double(table, _steps.NOISE), _steps.Single(table, _steps.NOISE)
    for index in range(steps):
        noise, timestep = noise_of(index), float(table.timesteps[index])
        theirs.step(index, noise)
        ours.step(index, _steps.velocity(ours.sample, timestep), noise=noise)
        fused.step(index, _steps.velocity(fused.sample.astype(np.float64), timestep), noise=noise)
        assert _steps.relative(ours.sample, theirs.sample.numpy()) < 1e-6, index
        assert _steps.relative(fused.sample, theirs.sample.numpy()) < 1e-6, index


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", [1, 2])
def test_trajectories_that_start_from_a_clip_are_within_1e_6_of_diffusers(
    kind: str, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = KINDS[kind]()
    scheduler.set_timesteps(timesteps=FASTWAN)
    scheduler.set_begin_index(first)
    table = table_of(scheduler, 3, FASTWAN, first)
    clip = np.random.default_rng(5).standard_normal(_steps.NOISE.shape)
    at = scheduler.timesteps[first : first + 1]
    start = scheduler.scale_noise(torch.from_numpy(clip), at, torch.from_numpy(_steps.NOISE))
    theirs = Theirs(scheduler, start.numpy(), monkeypatch)
    ours = _steps.Double(table, table.start[0] * clip + table.start[1] * _steps.NOISE)
    assert _steps.relative(ours.sample, start.numpy()) < 1e-6
    for index in range(3 - first):
        noise = noise_of(index)
        theirs.step(first + index, noise)
        velocity = _steps.velocity(ours.sample, float(table.timesteps[index]))
        ours.step(index, velocity, noise=noise if table.adds_noise else None)
        assert _steps.relative(ours.sample, theirs.sample.numpy()) < 1e-6, index


@pytest.mark.parametrize("steps", [1, 3, 9])
@pytest.mark.parametrize(("of", "to"), [("euler", "lcm"), ("lcm", "euler")])
def test_an_override_keeps_shift_and_chosen_timesteps(of: str, to: str, steps: int) -> None:
    for more in ({}, {"timesteps": FASTWAN}) if steps == 3 else ({},):
        config = {"_class_name": KINDS[of].__name__, "shift": 6.5, "num_train_timesteps": 2000, **more}
        table = _core.scheduler_table(json.dumps(config), to, steps)
        direct = _core.scheduler_table(json.dumps({**config, "_class_name": KINDS[to].__name__}), "", steps)
        assert (table.name, table.sigmas) == (to, direct.sigmas)
        assert table.timesteps.tolist() == direct.timesteps.tolist()
        assert table.adds_noise == (to == "lcm")


REFUSED: list[dict[str, Any]] = [
    {"use_dynamic_shifting": True},
    {"shift_terminal": 0.1},
    {"invert_sigmas": True},
    {"use_karras_sigmas": True},
    {"use_exponential_sigmas": True},
    {"use_beta_sigmas": True},
    {"scale_factors": [0.5, 1.0]},
    {"shift": 0},
    {"a_setting_of_the_future": 1},
]


@pytest.mark.parametrize("setting", REFUSED, ids=str)
@pytest.mark.parametrize("override", ["", "euler", "unipc"])
def test_an_unsupported_setting_is_refused_by_name(setting: dict[str, Any], override: str) -> None:
    config = json.loads(_steps.config_json(FlowMatchLCMScheduler(shift=3.0)))
    _core.scheduler_table(json.dumps(config), override, 8)
    with pytest.raises(_core.InvalidArgument, match=next(iter(setting))):
        _core.scheduler_table(json.dumps({**config, **setting}), override, 8)


@pytest.mark.parametrize(
    "timesteps",
    [
        [],
        1000,
        "1000,757",
        [757, 1000],
        [1000, 757, 757],
        [1000, 0],
        [1000, -1],
        [1001, 500],
        [1e300, 500],
        [-1e300],
        [1e-300],
        [1000, None],
        [True],
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", KINDS)
def test_chosen_timesteps_that_are_none_are_refused(kind: str, timesteps: Any) -> None:
    config = {"_class_name": KINDS[kind].__name__, "timesteps": timesteps}
    steps = len(timesteps) if isinstance(timesteps, list) and timesteps else 1
    expected = r"'timesteps' of .* falling numbers above 0 and at most 1000"
    with pytest.raises(_core.InvalidArgument, match=expected):
        _core.scheduler_table(json.dumps(config), "", steps)


@pytest.mark.parametrize("kind", KINDS)
def test_another_number_of_steps_than_was_chosen_is_refused(kind: str) -> None:
    expected = r"num_inference_steps is 4, .* 3 chosen timesteps \(1000, 757, 522\); expected 3"
    with pytest.raises(_core.InvalidArgument, match=expected):
        table_of(KINDS[kind](), 4, FASTWAN)


@pytest.mark.parametrize("override", ["unipc", "dpmpp_2m"])
def test_schedulers_that_choose_their_own_timesteps_are_refused(override: str) -> None:
    config = {"_class_name": "FlowMatchLCMScheduler", "timesteps": FASTWAN}
    with pytest.raises(_core.InvalidArgument, match=f"'{override}' .* 1000, 757, 522 alone; expected euler or lcm"):
        _core.scheduler_table(json.dumps(config), override, 3)


def test_fresh_noise_of_flow_matching_is_refused_for_models_that_predict_noise() -> None:
    with pytest.raises(_core.InvalidArgument, match=r"'lcm' is for flow matching.*expected euler, unipc, .*ddim"):
        _core.scheduler_table('{"_class_name": "DDIMScheduler", "clip_sample": false}', "lcm", 8)
