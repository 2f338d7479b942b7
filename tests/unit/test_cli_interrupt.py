"""Ctrl-C: a clean end, and the finished frames kept."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

PROMPT = "a small red circle moving left"

# A program that runs the command line and, at a chosen event of the generation, sends itself what Ctrl-C sends.
PROGRAM = """
import os, signal, sys
from vidrt.engine.cli import rendering as module
stage, done, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
class Progress(module.StageProgress):
    def on_stage(self, event):
        super().on_stage(event)
        if (event.stage, event.done) == (stage, done):
            os.kill(os.getpid(), number)
module.StageProgress = Progress
from vidrt.engine.cli import main
sys.argv = ["vidrt", *sys.argv[4:]]
main()
"""


@pytest.fixture
def interrupted(pocket_bundle, tmp_path):
    def run(stage, done, *arguments, number=signal.SIGINT):
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, stage, str(done), str(int(number)), "generate", PROMPT, "--height", "32",
             "--width", "32", "--num-frames", "33", "--steps", "4", "--decode-chunk", "1", *arguments],
            cwd=tmp_path, env={**os.environ, "VIDRT_BUNDLE": str(pocket_bundle)}, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip

    return run


@pytest.mark.parametrize("event", [("load", 1), ("encode", 1), ("denoise", 2)])
def test_before_the_first_frame_nothing_is_written(interrupted, tmp_path, event):
    result = interrupted(*event, "-o", "clip.mp4")
    assert result.returncode == 130, result.stderr
    assert "cancelled before the first frame; nothing was written" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_decoding_the_finished_frames_are_kept_as_partial(interrupted, tmp_path, pipe, unwarned, number):
    import av

    (tmp_path / "clip.mp4").write_bytes(b"the old clip")
    result = interrupted("decode", 9, "-o", "clip.mp4", "--seed", "7", number=number)
    assert result.returncode == 130, result.stderr
    assert "kept 9 of 33 frames in clip.partial.mp4" in result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "clip.partial.mp4"]
    assert (tmp_path / "clip.mp4").read_bytes() == b"the old clip"
    with av.open(str(tmp_path / "clip.partial.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24", src_colorspace="ITU709") for frame in container.decode(video=0)]
    whole = pipe(PROMPT, height=32, width=32, num_frames=33, num_inference_steps=4, seed=7, **unwarned).frames
    assert np.abs(np.array(frames).astype(int) - whole[:9]).mean() < 8


@pytest.mark.parametrize("name", ["clip.gif", "clip.y4m", "clip"])
def test_every_format_keeps_its_finished_frames(interrupted, tmp_path, name):
    assert interrupted("decode", 9, "-o", name).returncode == 130
    assert [path.name for path in tmp_path.iterdir()] == [name.replace("clip", "clip.partial")]


def test_ctrl_c_in_a_script_raises_keyboard_interrupt_and_the_pipeline_stays_usable(run_python, pocket_bundle):
    code = """
import os, signal, sys, vidrt
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
pipe = vidrt.TextToVideoPipeline(sys.argv[1])
settings = dict(height=32, width=32, num_frames=9, num_inference_steps=4, seed=1, on_warning=lambda message: None)
before = pipe("a red circle", **settings)
steps = []
def on_step(event):
    steps.append(event.step)
    if event.step == 1:
        os.kill(os.getpid(), signal.SIGINT)
        # Python runs the handler here or the core does before the next callback; either way it is the user's Ctrl-C.
try:
    pipe("a red circle", **settings, on_step=on_step)
except KeyboardInterrupt:
    print("interrupted after", steps)
print((pipe("a red circle", **settings).frames == before.frames).all())
"""
    result = run_python(code, str(pocket_bundle))
    assert result.stdout == "interrupted after [0, 1]\nTrue\n", result.stderr


def test_ctrl_c_reaches_a_generation_without_callbacks(run_python, pocket_bundle):
    code = """
import os, signal, sys, threading, vidrt
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
pipe = vidrt.TextToVideoPipeline(sys.argv[1])
started = threading.Event()
def interrupt():
    started.wait()
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    started.set()
    pipe("a red circle", height=32, width=32, num_frames=9, num_inference_steps=1000, on_warning=lambda message: None)
    print("ran to its end")
except KeyboardInterrupt:
    print("interrupted")
"""
    assert run_python(code, str(pocket_bundle)).stdout == "interrupted\n"
