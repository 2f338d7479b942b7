"""One task of `vidrt bench`'s prompt_accuracy in this process: train a probe, or judge the clips of a case.

Started by vidrt.engine.bench.accuracy. Prints the number of training steps or clips that are done, a line each, and
then what was seen as one line of JSON. An error of vidrt's is one line on stderr and its exit code.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch

import vidrt
from vidrt.engine.bench.measuring import split_settings
from vidrt.engine.bench.results import JudgedClips
from vidrt.engine.cli import exit_codes

from .evaluate import REAL_CLIPS, Judged, Setting, ask, judge_generated, judge_real
from .probe import VALUES, Probe, ProbeOptions, train_probe
from .report import all_right, one_object, share


def train(request: dict[str, Any]) -> list[Judged]:
    """Train a probe into a file; what it sees in real clips of the default size and length."""
    probe = train_probe(ProbeOptions(steps=request["probe_steps"]), _tell)
    torch.save(probe.state_dict(), request["probe"])
    prompts = request["prompts"]
    return judge_real(Setting(17, 64, prompts), min(REAL_CLIPS, prompts), request["seed"] + 1, probe)


def judge(request: dict[str, Any]) -> list[Judged]:
    """What the trained probe sees in clips that are generated with a case's options."""
    probe = Probe().eval()
    probe.load_state_dict(torch.load(request["probe"], weights_only=True))
    # Whether or not a case keeps its frames, they are looked at.
    opened, settings = split_settings({**request["options"], "keep_frames": True})
    if "threads" in opened:
        torch.set_num_threads(opened["threads"])
    pipe = vidrt.TextToVideoPipeline(request["bundle"], **opened)
    asked = ask(request["prompts"], request["seed"])
    judged: list[Judged] = []
    for one, _ in judge_generated(pipe, vidrt.GenerateOptions(**settings), asked, probe):
        judged.append(one)
        _tell(len(judged))
    return judged


def _tell(done: int) -> None:
    print(done, flush=True)


def main() -> int:
    """Run the request in the first argument; return the exit status."""
    request = json.loads(sys.argv[1])
    try:
        judged = judge(request) if "bundle" in request else train(request)
    except (vidrt.Error, MemoryError) as error:
        return exit_codes.report(error)
    seen = JudgedClips(
        all_right=all_right(judged),
        one_object=one_object(judged),
        attributes={name: share(judged, name) for name in VALUES},
    )
    print(seen.model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
