"""What a checkpoint was distilled for, told to its bundle: the scheduler, its timesteps, steps and guidance."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from vidrt.engine.errors import InvalidArgument
from vidrt.export.spec import BundleSpec

SCHEDULERS = {"euler": "FlowMatchEulerDiscreteScheduler", "lcm": "FlowMatchLCMScheduler"}
"""Those that may be named, and diffusers' classes of them: the ones that take chosen timesteps."""


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How a bundle samples unless it is told otherwise; what is not given stays as the checkpoint and its family say.

    Args:
        scheduler: A key of SCHEDULERS.
        timesteps: Those that the denoiser is asked at, falling, above 0 and at most the scheduler's
            num_train_timesteps; as a timestep is the level of noise, no shift is applied to them.
        num_inference_steps: From 1; with timesteps, their number.
        guidance_scale: From 0.
    """

    scheduler: str | None = None
    timesteps: tuple[float, ...] = ()
    num_inference_steps: int | None = None
    guidance_scale: float | None = None


def parse_timesteps(words: str) -> tuple[float, ...]:
    """Read "1000,757,522".

    Raises:
        InvalidArgument: It is no list of finite numbers. Whether they fall is left to the scheduler.
    """
    try:
        numbers = tuple(float(word) for word in words.split(","))
    except ValueError:
        numbers = (math.nan,)
    if not all(map(math.isfinite, numbers)):
        raise InvalidArgument(f"got --timesteps {words}, expected numbers with commas between, as 1000,757,522.")
    return numbers


def with_sampling(spec: BundleSpec, sampling: Sampling) -> BundleSpec:
    """A declaration whose bundle samples as it is told.

    Raises:
        InvalidArgument: The model is a decoder alone, or not of flow matching, its scheduler takes no timesteps, or
            they are not as many as the steps.
    """
    if sampling == Sampling():
        return spec
    if spec.scheduler is None:
        raise InvalidArgument(
            f"{spec.name} is a decoder alone, which takes no steps: got --scheduler, --timesteps, --default-steps or "
            "--default-guidance-scale."
        )
    steps, count = sampling.num_inference_steps, len(sampling.timesteps)
    if count and steps not in (None, count):
        raise InvalidArgument(f"got --default-steps {steps} with {count} --timesteps; leave it out, or give {count}.")
    given = {"num_inference_steps": count or steps, "guidance_scale": sampling.guidance_scale}
    changed: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return dataclasses.replace(
        spec,
        scheduler=_scheduler(spec.name, spec.scheduler, sampling),
        defaults=dataclasses.replace(spec.defaults, **changed),
    )


def _scheduler(model: str, config: Mapping[str, Any], sampling: Sampling) -> Mapping[str, Any]:
    if sampling.scheduler is None and not sampling.timesteps:
        return config
    own = config.get("_class_name")
    if own not in SCHEDULERS.values() and config.get("prediction_type") != "flow_prediction":
        raise InvalidArgument(
            f"--scheduler and --timesteps are for models of flow matching; the scheduler of {model}, {own}, is of one "
            "that predicts noise or v. Leave them out, and choose a scheduler with `vidrt generate --scheduler`."
        )
    if sampling.scheduler is None and own not in SCHEDULERS.values():
        raise InvalidArgument(
            f"got --timesteps without --scheduler, expected --scheduler {' or '.join(SCHEDULERS)}: the scheduler of "
            f"{model}, {own}, spreads its timesteps over training."
        )
    wanted = own if sampling.scheduler is None else SCHEDULERS[sampling.scheduler]
    if wanted == own:
        changed = dict(config)
    else:
        shift = config.get("shift", config.get("flow_shift", 1.0))
        train = config.get("num_train_timesteps", 1000)
        changed = {"_class_name": wanted, "num_train_timesteps": train, "shift": shift}
    if sampling.timesteps:
        # diffusers' classes would shift the level of a given timestep once more, but not the timestep.
        numbers = [int(number) if number.is_integer() else number for number in sampling.timesteps]
        changed |= {"shift": 1.0, "timesteps": numbers}
    return changed
