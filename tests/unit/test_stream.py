"""Frames as an iterator, in threads and in event loops."""

import asyncio
import gc
import threading

import numpy as np
import pytest

import vidrt

PROMPT = "a small red circle moving left"


@pytest.fixture(autouse=True)
def no_thread_is_left_behind():
    yield
    gc.collect()
    assert [thread.name for thread in threading.enumerate() if thread.name == "vidrt-stream"] == []


@pytest.fixture
def quiet():
    return {"callbacks": vidrt.Callbacks(on_warning=lambda message: None)}


def test_a_stream_yields_the_frames_of_the_video(pipe, tiny, unwarned, quiet):
    stream = pipe.stream(PROMPT, **tiny, **quiet)
    frames = list(stream)
    expected = pipe(PROMPT, **tiny, **unwarned)
    np.testing.assert_array_equal(frames, expected.frames)
    assert stream.video.metadata == expected.metadata


def test_a_stream_yields_floats_where_they_are_asked_for(pipe, tiny, unwarned, quiet):
    expected = pipe(PROMPT, **tiny, **unwarned, output_type="float32").frames
    np.testing.assert_array_equal(list(pipe.stream(PROMPT, **tiny, **quiet, output_type="float32")), expected)

    async def collect():
        return [frame async for frame in pipe.astream(PROMPT, **tiny, **quiet, output_type="float32")]

    frames = asyncio.run(collect())
    assert frames[0].dtype == np.float32
    np.testing.assert_array_equal(frames, expected)


def test_the_first_frame_comes_before_the_last_is_decoded(pipe, tiny, quiet):
    with pipe.stream(PROMPT, **{**tiny, "num_frames": 65}, **quiet) as stream:
        frame = next(stream)
        assert frame.shape == (32, 32, 3)
        with pytest.raises(vidrt.InvalidArgument, match="before its last frame"):
            _ = stream.video


def test_a_consumer_that_falls_behind_makes_the_decoder_wait(pipe, tiny):
    decoded = []
    callbacks = vidrt.Callbacks(on_warning=lambda message: None, on_frames=decoded.append)
    with pipe.stream(PROMPT, **{**tiny, "num_frames": 65}, callbacks=callbacks) as stream:
        next(stream)
        # One chunk taken, two in the mailbox, one in the hand of the worker that waits.
        assert len(decoded) <= 4


def test_closing_a_stream_cancels_the_generation_and_frees_the_pipeline(pipe, tiny, unwarned, quiet):
    steps = []
    callbacks = vidrt.Callbacks(on_warning=lambda message: None, on_step=steps.append)
    stream = pipe.stream(PROMPT, **{**tiny, "num_inference_steps": 1000}, callbacks=callbacks)
    stream.close()
    stream.close()
    assert len(steps) < 1000
    assert list(stream) == []
    assert pipe(PROMPT, **tiny, **unwarned).frames.shape[0] == 9


def test_a_forgotten_stream_is_stopped(pipe, tiny, quiet):
    stream = pipe.stream(PROMPT, **{**tiny, "num_frames": 65}, **quiet)
    next(stream)
    del stream  # the fixture looks for its thread


def test_a_stream_forgotten_until_the_interpreter_exits_does_not_hang_it(run_python, pocket_bundle):
    code = """
import sys, vidrt
pipe = vidrt.TextToVideoPipeline(sys.argv[1])
quiet = vidrt.Callbacks(on_warning=lambda message: None)
stream = pipe.stream("a red circle", height=32, width=32, num_frames=65, num_inference_steps=1, callbacks=quiet)
next(stream)
print("end")
"""
    result = run_python(code, str(pocket_bundle))
    assert (result.returncode, result.stdout, result.stderr) == (0, "end\n", "")


def test_bad_options_are_refused_at_once(pipe):
    for wrong in ({"prompt": ""}, {"prompt": PROMPT, "height": 33}, {"prompt": "red " * 500}):
        with pytest.raises(vidrt.InvalidArgument):
            pipe.stream(**wrong)


def test_an_error_of_the_generation_is_raised_by_the_iteration(pipe, tiny):
    def fail(event):
        raise RuntimeError("from the callback")

    callbacks = vidrt.Callbacks(on_warning=lambda message: None, on_step=fail)
    with pytest.raises(RuntimeError, match="from the callback"):
        list(pipe.stream(PROMPT, **tiny, callbacks=callbacks))


def test_a_cancel_token_is_refused_because_closing_is_the_way(pipe, tiny):
    callbacks = vidrt.Callbacks(cancel=vidrt.CancelToken())
    with pytest.raises(vidrt.InvalidArgument, match="cancelled by closing it"):
        pipe.stream(PROMPT, **tiny, callbacks=callbacks)


def test_a_generation_can_be_awaited_while_the_loop_runs(pipe, tiny, unwarned, quiet):
    async def main():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += 1

        ticker = asyncio.create_task(tick())
        video = await pipe.agenerate(PROMPT, **tiny, **quiet)
        ticker.cancel()
        return video, ticks

    video, ticks = asyncio.run(main())
    np.testing.assert_array_equal(video.frames, pipe(PROMPT, **tiny, **unwarned).frames)
    assert ticks > 0


def test_cancelling_the_task_cancels_the_generation(pipe, tiny, unwarned):
    steps = []

    async def main():
        loop = asyncio.get_running_loop()
        started = asyncio.Event()

        def on_step(event):
            steps.append(event)
            loop.call_soon_threadsafe(started.set)

        callbacks = vidrt.Callbacks(on_warning=lambda message: None, on_step=on_step)
        task = asyncio.create_task(pipe.agenerate(PROMPT, **{**tiny, "num_inference_steps": 1000}, callbacks=callbacks))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert len(steps) < 1000
    assert pipe(PROMPT, **tiny, **unwarned).frames.shape[0] == 9


def test_frames_can_be_iterated_with_async_for_and_left_early(pipe, tiny, unwarned, quiet):
    async def main():
        frames = []
        stream = pipe.astream(PROMPT, **tiny, **quiet)
        async for frame in stream:
            frames.append(frame)
            if len(frames) == 3:
                break
        await stream.aclose()
        return frames

    frames = asyncio.run(main())
    np.testing.assert_array_equal(frames, pipe(PROMPT, **tiny, **unwarned).frames[:3])
