"""The core's sampling tables against the schedulers of diffusers, over many configurations."""

from __future__ import annotations

import copy
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler

from vidrt import _core

_spec = importlib.util.spec_from_file_location("scheduler_steps", Path(__file__).with_name("scheduler_steps.py"))
assert _spec is not None
assert _spec.loader is not None
_steps = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_steps)
Double, Single, NOISE = _steps.Double, _steps.Single, _steps.NOISE
config_json, relative, start, velocity = _steps.config_json, _steps.relative, _steps.start, _steps.velocity

# diffusers hands tensors to np.array in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FLOW = {"prediction_type": "flow_prediction", "use_flow_sigmas": True}
SHIFTS = [0.7, 1.0, 3.0, 5.0, 8.0, 17.0]
STEPS = [1, 2, 3, 4, 14, 15, 20, 50]


def euler(**settings: Any) -> FlowMatchEulerDiscreteScheduler:
    return FlowMatchEulerDiscreteScheduler(**settings)


def unipc(**settings: Any) -> UniPCMultistepScheduler:
    return UniPCMultistepScheduler(**FLOW, **settings)


def dpm(**settings: Any) -> DPMSolverMultistepScheduler:
    return DPMSolverMultistepScheduler(**FLOW, **settings)


Factory = Callable[..., Any]
# Every setting in which the algorithms differ, at least once; shift is crossed in by the tests.
ALGORITHMS: dict[str, tuple[Factory, str, dict[str, Any]]] = {"euler": (euler, "shift", {})}
for order in (1, 2, 3):
    ALGORITHMS[f"unipc{order}-bh2"] = (unipc, "flow_shift", {"solver_order": order})
    ALGORITHMS[f"unipc{order}-bh1-sigma_min"] = (
        unipc,
        "flow_shift",
        {"solver_order": order, "solver_type": "bh1", "final_sigmas_type": "sigma_min"},
    )
    ALGORITHMS[f"unipc{order}-no-early-corrector"] = (
        unipc,
        "flow_shift",
        {"solver_order": order, "disable_corrector": [0, 1, 3]},
    )
    ALGORITHMS[f"dpm{order}-midpoint"] = (dpm, "flow_shift", {"solver_order": order})
    ALGORITHMS[f"dpm{order}-heun"] = (dpm, "flow_shift", {"solver_order": order, "solver_type": "heun"})
    ALGORITHMS[f"dpm{order}-euler_at_final"] = (
        dpm,
        "flow_shift",
        {"solver_order": order, "euler_at_final": True, "final_sigmas_type": "sigma_min"},
    )
    ALGORITHMS[f"dpm{order}-no-lower-order"] = (
        dpm,
        "flow_shift",
        {"solver_order": order, "lower_order_final": False, "final_sigmas_type": "sigma_min"},
    )
ALGORITHMS["unipc2-no-lower-order"] = (
    unipc,
    "flow_shift",
    {"lower_order_final": False, "final_sigmas_type": "sigma_min"},
)
ALGORITHMS["unipc2-no-corrector"] = (unipc, "flow_shift", {"disable_corrector": list(range(64))})
ALGORITHMS["dpm2-scaled-betas"] = (
    dpm,
    "flow_shift",
    {"final_sigmas_type": "sigma_min", "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
)


def make(algorithm: str, shift: float, **more: Any) -> Any:
    factory, shift_key, settings = ALGORITHMS[algorithm]
    return factory(**{shift_key: shift}, **settings, **more)


def table_of(scheduler: Any, steps: int, override: str = "") -> Any:
    return _core.scheduler_table(config_json(scheduler), override, steps)


CASES = [
    pytest.param(algorithm, shift := SHIFTS[(number + steps) % len(SHIFTS)], steps, id=f"{algorithm}-{shift}-{steps}")
    for number, algorithm in enumerate(ALGORITHMS)
    for steps in STEPS
]


@pytest.mark.parametrize("train", [1000, 500, 37])
@pytest.mark.parametrize("shift", [0.3, 0.7, 1.0, 1.15, 2.5, 3.0, 5.0, 7.3, 8.0, 12.0, 17.0])
@pytest.mark.parametrize("algorithm", ["euler", "unipc2-bh2", "dpm2-midpoint"])
def test_timesteps_and_sigmas_equal_diffusers_exactly(algorithm: str, shift: float, train: int) -> None:
    scheduler = make(algorithm, shift, num_train_timesteps=train)
    config = config_json(scheduler)
    for steps in [*range(1, 61), 75, 100]:
        scheduler.set_timesteps(steps)
        table = _core.scheduler_table(config, "", steps)
        assert table.timesteps.tolist() == scheduler.timesteps.double().tolist(), steps
        assert table.sigmas == scheduler.sigmas.double().tolist(), steps


@pytest.mark.parametrize(("algorithm", "shift", "steps"), CASES)
def test_single_steps_are_within_1e_6_of_diffusers(algorithm: str, shift: float, steps: int) -> None:
    scheduler = start(make(algorithm, shift), steps)
    table = table_of(scheduler, steps)
    ours = Double(table, NOISE)
    sample = torch.from_numpy(NOISE)
    for index, timestep in enumerate(scheduler.timesteps):
        output = velocity(sample.numpy(), float(timestep))
        # Both begin from diffusers' state, so that only this step's error is seen.
        ours.sample = sample.numpy()
        ours.step(index, output)
        sample = scheduler.step(torch.from_numpy(output), timestep, sample).prev_sample
        if algorithm.startswith("unipc"):
            ours.previous = scheduler.last_sample.numpy()
        if not algorithm.startswith("euler"):
            known = [m.numpy() for m in reversed(scheduler.model_outputs) if m is not None]
            ours.history = known + ours.history[len(known) :]
        assert relative(ours.sample, sample.numpy()) < 1e-6, index


@pytest.mark.parametrize("first", [1, 6, 14])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_trajectories_that_start_from_a_clip_are_within_1e_6_of_diffusers(algorithm: str, first: int) -> None:
    scheduler, steps = make(algorithm, 3.0), 15
    scheduler.set_timesteps(steps)
    scheduler.set_begin_index(first)
    table = _core.scheduler_table(config_json(scheduler), "", steps, first)
    clip = np.random.default_rng(5).standard_normal(NOISE.shape)
    mix = scheduler.scale_noise if algorithm == "euler" else scheduler.add_noise
    at, data, noise = scheduler.timesteps[first : first + 1], torch.from_numpy(clip), torch.from_numpy(NOISE)
    sample = mix(data, at, noise) if algorithm == "euler" else mix(data, noise, at)
    ours = Double(table, table.start[0] * clip + table.start[1] * NOISE)
    assert relative(ours.sample, sample.numpy()) < 1e-6
    for index, timestep in enumerate(scheduler.timesteps[first:]):
        output = velocity(sample.numpy(), float(timestep))
        sample = scheduler.step(torch.from_numpy(output), timestep, sample).prev_sample
        ours.step(index, velocity(ours.sample, float(table.timesteps[index])))
        assert relative(ours.sample, sample.numpy()) < 1e-6, index


@pytest.mark.parametrize(("algorithm", "shift", "steps"), CASES)
def test_whole_trajectories_are_within_1e_6_of_diffusers(algorithm: str, shift: float, steps: int) -> None:
    scheduler = start(make(algorithm, shift), steps)
    ours = Double(table_of(scheduler, steps), NOISE)
    sample = torch.from_numpy(NOISE)
    for index, timestep in enumerate(scheduler.timesteps):
        ours.step(index, velocity(ours.sample, float(timestep)))
        output = torch.from_numpy(velocity(sample.numpy(), float(timestep)))
        sample = scheduler.step(output, timestep, sample).prev_sample
        assert relative(ours.sample, sample.numpy()) < 1e-6, index


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name.startswith("unipc")])
@pytest.mark.parametrize("steps", [3, 20, 50])
def test_unipc_is_the_same_algorithm_to_the_last_digits(algorithm: str, steps: int) -> None:
    """With its sigmas widened to float64, so that its scalars are not rounded, diffusers agrees far beyond 1e-6."""
    scheduler = start(make(algorithm, 3.0), steps)
    scheduler.sigmas = scheduler.sigmas.double()
    ours = Double(table_of(make(algorithm, 3.0), steps), NOISE)
    sample = torch.from_numpy(NOISE)
    for index, timestep in enumerate(scheduler.timesteps):
        ours.step(index, velocity(ours.sample, float(timestep)))
        output = torch.from_numpy(velocity(sample.numpy(), float(timestep)))
        sample = scheduler.step(output, timestep, sample).prev_sample
        assert relative(ours.sample, sample.numpy()) < 1e-10, index


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_50_steps_in_float32_are_within_1e_5_of_diffusers(algorithm: str, shift: float) -> None:
    scheduler = start(make(algorithm, shift), 50)
    ours = Single(table_of(scheduler, 50), NOISE)
    sample = torch.from_numpy(NOISE)
    for index, timestep in enumerate(scheduler.timesteps):
        ours.step(index, velocity(ours.sample.astype(np.float64), float(timestep)))
        output = torch.from_numpy(velocity(sample.numpy(), float(timestep)))
        sample = scheduler.step(output, timestep, sample).prev_sample
        assert relative(ours.sample, sample.numpy()) < 1e-5, index


@pytest.mark.parametrize("algorithm", ["euler", "unipc3-bh2", "dpm3-midpoint"])
def test_guidance_inside_the_step_is_guidance_before_it(algorithm: str) -> None:
    scheduler = start(make(algorithm, 3.0), 12)
    ours = Single(table_of(scheduler, 12), NOISE)
    sample = torch.from_numpy(NOISE)
    for index, timestep in enumerate(scheduler.timesteps):
        current = ours.sample.astype(np.float64)
        ours.step(index, velocity(current, float(timestep)), -0.3 * current, guidance_scale=5.0)
        positive, negative = velocity(sample.numpy(), float(timestep)), -0.3 * sample.numpy()
        output = torch.from_numpy(negative + 5.0 * (positive - negative))
        sample = scheduler.step(output, timestep, sample).prev_sample
        assert relative(ours.sample, sample.numpy()) < 1e-5, index


@pytest.mark.parametrize("algorithm", ["euler", "unipc2-bh2", "dpm2-midpoint"])
@pytest.mark.parametrize("override", ["euler", "unipc", "dpmpp_2m"])
def test_an_override_is_the_other_algorithm_with_the_same_shift(algorithm: str, override: str) -> None:
    overridden = table_of(make(algorithm, 6.5), 9, override)
    expected = {"euler": "euler", "unipc": "unipc2-bh2", "dpmpp_2m": "dpm2-midpoint"}[override]
    direct = table_of(make(expected, 6.5), 9)
    assert overridden.name == direct.name == override
    assert overridden.sigmas == direct.sigmas
    assert overridden.timesteps.tolist() == direct.timesteps.tolist()


def test_bh1_ends_in_the_prediction_where_diffusers_divides_by_zero() -> None:
    scheduler = start(unipc(flow_shift=3.0, solver_type="bh1"), 6)
    ours = Double(table_of(scheduler, 6), NOISE)
    sample = torch.from_numpy(NOISE)
    for index, timestep in enumerate(scheduler.timesteps):
        ours.step(index, velocity(ours.sample, float(timestep)))
        before = sample
        output = torch.from_numpy(velocity(sample.numpy(), float(timestep)))
        sample = scheduler.step(output, timestep, sample).prev_sample
        if index < 5:
            assert relative(ours.sample, sample.numpy()) < 1e-6, index
    assert torch.isnan(sample).all()
    final_prediction = before.numpy() - float(scheduler.sigmas[5]) * velocity(before.numpy(), float(timestep))
    assert relative(ours.sample, final_prediction) < 1e-6


# What a config may say that would change the result and that we do not do: each is named in the error.
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("euler", {"use_dynamic_shifting": True}),
    ("euler", {"shift_terminal": 0.1}),
    ("euler", {"invert_sigmas": True}),
    ("euler", {"use_karras_sigmas": True}),
    ("euler", {"use_exponential_sigmas": True}),
    ("euler", {"use_beta_sigmas": True}),
    ("euler", {"stochastic_sampling": True}),
    ("euler", {"shift": 0}),
    ("euler", {"num_train_timesteps": 1}),
    ("unipc2-bh2", {"prediction_type": "sample"}),
    ("unipc2-bh2", {"use_flow_sigmas": False}),
    ("unipc2-bh2", {"solver_order": 4}),
    ("unipc2-bh2", {"solver_type": "logrho"}),
    ("unipc2-bh2", {"predict_x0": False}),
    ("unipc2-bh2", {"thresholding": True}),
    ("unipc2-bh2", {"solver_p": "euler"}),
    ("unipc2-bh2", {"use_dynamic_shifting": True}),
    ("unipc2-bh2", {"shift_terminal": 0.02}),
    ("unipc2-bh2", {"disable_corrector": ["first"]}),
    ("unipc2-bh2", {"final_sigmas_type": "one"}),
    ("dpm2-midpoint", {"algorithm_type": "sde-dpmsolver++"}),
    ("dpm2-midpoint", {"use_lu_lambdas": True}),
    ("dpm2-midpoint", {"solver_order": 0}),
    ("dpm2-midpoint", {"flow_shift": "3"}),
    ("dpm2-midpoint", {"euler_at_final": 1}),
    ("dpm2-midpoint", {"a_setting_of_the_future": 1}),
]


@pytest.mark.parametrize(("algorithm", "setting"), REFUSED, ids=[f"{a}-{json.dumps(s)}" for a, s in REFUSED])
@pytest.mark.parametrize("override", ["", "euler"])
def test_an_unsupported_setting_is_refused_by_name(algorithm: str, setting: dict[str, Any], override: str) -> None:
    config = json.loads(config_json(make(algorithm, 3.0)))
    _core.scheduler_table(json.dumps(config), "", 8)
    changed = copy.deepcopy(config)
    changed.update(setting)
    with pytest.raises(_core.InvalidArgument, match=next(iter(setting))):
        _core.scheduler_table(json.dumps(changed), override, 8)


def test_a_last_step_that_would_divide_by_zero_is_refused_by_name() -> None:
    with pytest.raises(_core.InvalidArgument, match=r"lower_order_final.*final_sigmas_type"):
        table_of(unipc(lower_order_final=False), 8)


def test_an_unknown_algorithm_is_refused_with_the_known_ones() -> None:
    with pytest.raises(_core.InvalidArgument, match=r"DDPMScheduler.*FlowMatchEulerDiscreteScheduler"):
        _core.scheduler_table('{"_class_name": "DDPMScheduler"}', "", 8)
    with pytest.raises(_core.InvalidArgument, match="_class_name"):
        _core.scheduler_table("{}", "", 8)
    with pytest.raises(_core.InvalidArgument, match="JSON"):
        _core.scheduler_table("[", "", 8)
    with pytest.raises(
        _core.InvalidArgument, match=r"heun.*euler, unipc, dpmpp_2m, ddim, euler_ancestral, dpmpp_2m_sde"
    ):
        table_of(euler(), 8, "heun")


@pytest.mark.parametrize("steps", [0, -1, 10_001])
def test_a_step_count_out_of_range_is_refused(steps: int) -> None:
    with pytest.raises(_core.InvalidArgument, match=f"num_inference_steps is {steps}.*1 to 10000"):
        table_of(euler(), steps)
