"""The core's sampling tables for models that predict noise or v, against the schedulers of diffusers."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    UniPCMultistepScheduler,
)
from diffusers.schedulers import scheduling_euler_ancestral_discrete

from vidrt import _core

_spec = importlib.util.spec_from_file_location("scheduler_steps", Path(__file__).with_name("scheduler_steps.py"))
assert _spec is not None
assert _spec.loader is not None
_steps = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_steps)

# diffusers hands tensors to np.array in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

STABLE_DIFFUSION = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SDE = {"algorithm_type": "sde-dpmsolver++"}
CLASSES: dict[str, tuple[Any, dict[str, Any]]] = {
    "ddim": (DDIMScheduler, {"clip_sample": False}),
    "euler": (EulerDiscreteScheduler, {}),
    "ancestral": (EulerAncestralDiscreteScheduler, {}),
    "dpm1": (DPMSolverMultistepScheduler, {"solver_order": 1}),
    "dpm2": (DPMSolverMultistepScheduler, {}),
    "dpm2-heun": (DPMSolverMultistepScheduler, {"solver_type": "heun"}),
    "dpm3": (DPMSolverMultistepScheduler, {"solver_order": 3}),
    "sde1": (DPMSolverMultistepScheduler, {"solver_order": 1, **SDE}),
    "sde2": (DPMSolverMultistepScheduler, SDE),
    "sde2-heun": (DPMSolverMultistepScheduler, {"solver_type": "heun", **SDE}),
    "unipc2": (UniPCMultistepScheduler, {}),
    "unipc3": (
        UniPCMultistepScheduler,
        {"solver_order": 3, "solver_type": "bh1", "final_sigmas_type": "sigma_min"},
    ),
}
KARRAS = {"use_karras_sigmas": True}
SETTINGS: dict[str, dict[str, Any]] = {
    "modelscope": {**STABLE_DIFFUSION, "timestep_spacing": "leading", "steps_offset": 1},
    "linspace": {**STABLE_DIFFUSION, "timestep_spacing": "linspace"},
    "trailing": {**STABLE_DIFFUSION, "timestep_spacing": "trailing"},
    "linear-500": {"num_train_timesteps": 500, "timestep_spacing": "linspace"},
    "v": {**STABLE_DIFFUSION, "timestep_spacing": "trailing", "prediction_type": "v_prediction"},
    "zero-snr": {
        **STABLE_DIFFUSION,
        "timestep_spacing": "trailing",
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
    },
    "karras": {**STABLE_DIFFUSION, **KARRAS},
    "karras-leading": {**STABLE_DIFFUSION, **KARRAS, "timestep_spacing": "leading", "steps_offset": 1},
    "sigma_min": {**STABLE_DIFFUSION, "final_sigmas_type": "sigma_min"},
    "karras-sigma_min": {**STABLE_DIFFUSION, **KARRAS, "final_sigmas_type": "sigma_min"},
    "alpha-of-training": {**STABLE_DIFFUSION, "set_alpha_to_one": False},
}
NOT_OF = {
    "ddim": {"karras", "karras-leading", "sigma_min", "karras-sigma_min"},
    "ancestral": {"karras", "karras-leading", "sigma_min", "karras-sigma_min"},
}
ONLY_OF = {"alpha-of-training": {"ddim"}}
CASES = [
    pytest.param(name, setting, id=f"{name}-{setting}")
    for name in CLASSES
    for setting in SETTINGS
    if setting not in NOT_OF.get(name, set()) and name in ONLY_OF.get(setting, {name})
]
STEPS = [1, 2, 5, 14, 20, 50]


# diffusers keeps Euler's sample times sqrt(sigma^2 + 1), which is 4096 there, in float32.
ZERO_SNR_SIGMAS = 1e-5
"""Of a sigma. diffusers subtracts roots that are nearly equal and multiplies a thousand quotients in float32: the order
in which torch does that, and so the last bits, hangs on the processor (2e-6 on one with AVX2 alone)."""
FAR_FROM_ZERO = {("euler", "zero-snr"), ("ancestral", "zero-snr")}


def make(name: str, setting: str) -> Any:
    kind, settings = CLASSES[name]
    return kind(**{**settings, **SETTINGS[setting]})


def scale(scheduler: Any, index: int) -> float:
    """By what diffusers' sample of Euler's methods is larger than the one that the denoiser is given."""
    if not isinstance(scheduler, EulerDiscreteScheduler | EulerAncestralDiscreteScheduler):
        return 1.0
    return float((scheduler.sigmas[index].double() ** 2 + 1) ** 0.5)


class Theirs:
    """A run of diffusers' scheduler, which is given the noise that the core makes."""

    def __init__(self, scheduler: Any, steps: int, monkeypatch: pytest.MonkeyPatch, first: int = 0) -> None:
        self.scheduler = scheduler
        scheduler.set_timesteps(steps)
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(first)
        self.sample = torch.from_numpy(_steps.NOISE) * float(scheduler.init_noise_sigma)
        self.noise = torch.zeros_like(self.sample)
        monkeypatch.setattr(scheduling_euler_ancestral_discrete, "randn_tensor", lambda *_, **__: self.noise)

    def step(self, index: int, noise: Any) -> None:
        timestep = self.scheduler.timesteps[index]
        given = self.scheduler.scale_model_input(self.sample, timestep)
        output = torch.from_numpy(_steps.velocity(given.numpy(), float(timestep)))
        self.noise = torch.from_numpy(noise)
        more = {"variance_noise": self.noise} if "sde" in str(self.scheduler.config.get("algorithm_type")) else {}
        self.sample = self.scheduler.step(output, timestep, self.sample, **more).prev_sample


@pytest.mark.parametrize(("name", "setting"), CASES)
def test_timesteps_and_sigmas_are_diffusers(name: str, setting: str) -> None:
    scheduler = make(name, setting)
    config = _steps.config_json(scheduler)
    for steps in [1, 2, 3, 7, 10, 14, 20, 25, 30, 50, 100]:
        scheduler.set_timesteps(steps)
        table = _core.scheduler_table(config, "", steps)
        if setting.startswith("karras") and name == "euler":  # not whole: where a sigma lies between those of training
            assert np.abs(table.timesteps - scheduler.timesteps.double().numpy()).max() < 2e-3, steps
        else:
            assert table.timesteps.tolist() == scheduler.timesteps.double().tolist(), steps
        if name != "ddim":
            theirs = scheduler.sigmas.double().numpy()
            difference = np.abs(np.array(table.sigmas) / np.where(theirs == 0, 1, theirs) - (theirs > 0)).max()
            assert difference < (ZERO_SNR_SIGMAS if setting == "zero-snr" else 1e-6), steps


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize(("name", "setting"), CASES)
def test_whole_trajectories_are_within_5e_6_of_diffusers(
    name: str, setting: str, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = make(name, setting)
    table = _core.scheduler_table(_steps.config_json(scheduler), "", steps)
    theirs = Theirs(scheduler, steps, monkeypatch)
    ours = _steps.Double(table, _steps.NOISE * table.init_noise_sigma)
    fused = _steps.Single(table, _steps.NOISE * table.init_noise_sigma)
    for index in range(steps):
        noise = _core.standard_normal(7, _steps.NOISE.size, stream=index + 1).reshape(_steps.NOISE.shape)
        added = noise if table.adds_noise else None
        timestep = float(table.timesteps[index])
        theirs.step(index, noise.astype(np.float64))
        ours.step(index, _steps.velocity(ours.sample, timestep), noise=added)
        fused.step(index, _steps.velocity(fused.sample.astype(np.float64), timestep), noise=added)
        expected = theirs.sample.numpy() / scale(scheduler, index + 1)
        if index == steps - 1 and np.isnan(expected).all():
            assert table.sigmas[-1] == table.sigmas[-2]  # a step of length 0, in which diffusers divides by it
            break
        tolerance = 1e-3 if (name, setting) in FAR_FROM_ZERO else 5e-6
        assert _steps.relative(ours.sample, expected) < tolerance, index
        assert _steps.relative(fused.sample, expected) < tolerance, index


@pytest.mark.parametrize("first", [0, 1, 8, 19])
@pytest.mark.parametrize(("name", "setting"), CASES)
def test_trajectories_that_start_from_a_clip_are_within_5e_6_of_diffusers(
    name: str, setting: str, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if first == 0 and (name, setting) in FAR_FROM_ZERO:
        pytest.skip("diffusers' float32 sample is 4096 times the one that the denoiser is given")
    scheduler, steps = make(name, setting), 20
    table = _core.scheduler_table(_steps.config_json(scheduler), "", steps, first)
    assert (len(table.steps), len(table.sigmas)) == (steps - first, steps - first + 1)
    theirs = Theirs(scheduler, steps, monkeypatch, first)
    clip = np.random.default_rng(5).standard_normal(_steps.NOISE.shape)
    at = scheduler.timesteps[first : first + 1]
    theirs.sample = scheduler.add_noise(torch.from_numpy(clip), torch.from_numpy(_steps.NOISE), at)
    alpha, sigma = table.start
    ours = _steps.Double(table, alpha * clip + sigma * _steps.NOISE)
    assert _steps.relative(ours.sample, theirs.sample.numpy() / scale(scheduler, first)) < 5e-6
    for index in range(steps - first):
        noise = _core.standard_normal(7, _steps.NOISE.size, stream=index + 1).reshape(_steps.NOISE.shape)
        theirs.step(first + index, noise.astype(np.float64))
        velocity = _steps.velocity(ours.sample, float(table.timesteps[index]))
        ours.step(index, velocity, noise=noise if table.adds_noise else None)
        expected = theirs.sample.numpy() / scale(scheduler, first + index + 1)
        if first + index == steps - 1 and np.isnan(expected).all():
            assert table.sigmas[-1] == table.sigmas[-2]  # a step of length 0, in which diffusers divides by it
            break
        assert _steps.relative(ours.sample, expected) < 5e-6, index


def test_a_first_step_that_is_none_of_the_steps_is_refused() -> None:
    config = _steps.config_json(make("ddim", "modelscope"))
    for first in (-1, 8):
        with pytest.raises(_core.InvalidArgument, match=f"first_step is {first}; expected 0 to 7"):
            _core.scheduler_table(config, "", 8, first)


def test_zero_snr_of_euler_is_exact_where_diffusers_rounds() -> None:
    """The first step, of a sample that holds no signal, against the formula in float64."""
    table = _core.scheduler_table(_steps.config_json(make("euler", "zero-snr")), "", 5)
    fused = _steps.Single(table, _steps.NOISE * table.init_noise_sigma)
    output = _steps.velocity(_steps.NOISE, 999.0)
    fused.step(0, output)
    a, b = (np.array(table.sigmas[:2]) ** 2 + 1.0) ** -0.5
    given = (_steps.NOISE * table.init_noise_sigma).astype(np.float32).astype(np.float64)
    data = a * given - table.sigmas[0] * a * output
    ratio = table.sigmas[1] / table.sigmas[0]
    assert _steps.relative(fused.sample, b / a * ratio * given + b * (1.0 - ratio) * data) < 1e-6


@pytest.mark.parametrize("override", ["euler", "unipc", "dpmpp_2m", "ddim", "euler_ancestral", "dpmpp_2m_sde"])
@pytest.mark.parametrize("name", ["ddim", "euler", "ancestral", "dpm3", "unipc3"])
def test_an_override_is_the_other_algorithm_over_the_same_training(name: str, override: str) -> None:
    kinds: dict[str, Any] = {
        "euler": EulerDiscreteScheduler,
        "unipc": UniPCMultistepScheduler,
        "dpmpp_2m": DPMSolverMultistepScheduler,
        "ddim": DDIMScheduler,
        "euler_ancestral": EulerAncestralDiscreteScheduler,
        "dpmpp_2m_sde": DPMSolverMultistepScheduler,
    }
    more = SDE if override == "dpmpp_2m_sde" else {}
    more = {"clip_sample": False} if override == "ddim" else more
    table = _core.scheduler_table(_steps.config_json(make(name, "modelscope")), override, 9)
    direct = _core.scheduler_table(_steps.config_json(kinds[override](**SETTINGS["modelscope"], **more)), "", 9)
    assert table.name == direct.name == override
    assert table.timesteps.tolist() == direct.timesteps.tolist()
    kept = name == "unipc3" and override == "unipc"  # asked for its own algorithm, a config keeps its settings
    assert kept or table.sigmas == direct.sigmas


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("ddim", {"clip_sample": True}),
    ("ddim", {"clip_sample": None}),
    ("ddim", {"thresholding": True}),
    ("ddim", {"prediction_type": "sample"}),
    ("ddim", {"beta_schedule": "squaredcos_cap_v2"}),
    ("ddim", {"trained_betas": [0.1, 0.2]}),
    ("ddim", {"timestep_spacing": "quadratic"}),
    ("ddim", {"steps_offset": -1}),
    ("ddim", {"beta_end": 1.5}),
    ("ddim", {"rescale_betas_zero_snr": True}),
    ("ddim", {"a_setting_of_the_future": 1}),
    ("euler", {"interpolation_type": "log_linear"}),
    ("euler", {"timestep_type": "continuous"}),
    ("euler", {"use_exponential_sigmas": True}),
    ("euler", {"use_beta_sigmas": True}),
    ("euler", {"sigma_max": -1}),
    ("euler", {"final_sigmas_type": "one"}),
    ("euler", {"rescale_betas_zero_snr": True}),
    ("ancestral", {"use_karras_sigmas": True}),
    ("dpm2", {"use_flow_sigmas": True}),
    ("dpm2", {"use_lu_lambdas": True}),
    ("dpm2", {"algorithm_type": "dpmsolver"}),
    ("dpm2", {"lambda_min_clipped": -5.1}),
    ("dpm2", {"variance_type": "learned"}),
    ("dpm2", {"sigma_min": 0.1}),
    ("sde2", {"solver_order": 3}),
    ("unipc2", {"predict_x0": False}),
    ("unipc2", {"use_karras_sigmas": "yes"}),
]


@pytest.mark.parametrize(("name", "setting"), REFUSED, ids=[f"{n}-{json.dumps(s)}" for n, s in REFUSED])
@pytest.mark.parametrize("override", ["", "unipc"])
def test_an_unsupported_setting_is_refused_by_name(name: str, setting: dict[str, Any], override: str) -> None:
    config = json.loads(_steps.config_json(make(name, "modelscope")))
    with pytest.raises(_core.InvalidArgument, match=next(iter(setting))):
        _core.scheduler_table(json.dumps({**config, **setting}), override, 8)


def test_ddim_clips_where_its_config_does_not_say_and_that_is_refused() -> None:
    with pytest.raises(_core.InvalidArgument, match=r"'clip_sample' of DDIMScheduler is true.*supports false"):
        _core.scheduler_table('{"_class_name": "DDIMScheduler"}', "", 8)


@pytest.mark.parametrize(
    ("name", "setting", "most"),
    [("ddim", "trailing", 1000), ("euler", "linspace", 1000), ("dpm2", "v", 999), ("unipc2", "linear-500", 499)],
)
def test_more_steps_than_the_model_was_trained_with_are_refused(name: str, setting: str, most: int) -> None:
    config = _steps.config_json(make(name, setting))
    with pytest.raises(_core.InvalidArgument, match=f"num_inference_steps is {most + 1}; expected at most {most}"):
        _core.scheduler_table(config, "", most + 1)


def test_a_first_timestep_beyond_training_is_refused() -> None:
    config = _steps.config_json(make("ddim", "modelscope"))
    with pytest.raises(
        _core.InvalidArgument, match=r"'steps_offset' of DDIMScheduler is 1, .* 1000; expected at most 999"
    ):
        _core.scheduler_table(config, "", 1000)


def test_betas_that_leave_no_signal_are_refused() -> None:
    config = {"_class_name": "EulerDiscreteScheduler", "beta_start": 0.9, "beta_end": 0.999}
    with pytest.raises(_core.InvalidArgument, match="one holds no signal"):
        _core.scheduler_table(json.dumps(config), "", 8)


@pytest.mark.parametrize("override", ["ddim", "euler_ancestral", "dpmpp_2m_sde"])
def test_what_is_not_for_flow_matching_is_refused_there(override: str) -> None:
    with pytest.raises(_core.InvalidArgument, match=f"'{override}' is for models that predict noise or v"):
        _core.scheduler_table('{"_class_name": "FlowMatchEulerDiscreteScheduler"}', override, 8)
