"""One pipeline, called in every way."""

import gc
import sys
import threading
import weakref

import numpy as np
import pytest

import vidrt
from vidrt.engine.builder.targets import local_compute_capability

PROMPT = "a small red circle moving left"


def test_frames_are_a_view_that_outlives_the_video_and_the_pipeline(pocket_bundle, tiny, unwarned):
    pipe = vidrt.TextToVideoPipeline(pocket_bundle, threads=1)
    video = pipe(PROMPT, **tiny, **unwarned)
    frames = video.frames
    expected = frames.copy()
    assert not frames.flags.owndata
    assert not frames.flags.writeable
    assert video.frames.ctypes.data == frames.ctypes.data
    del pipe, video
    gc.collect()
    np.testing.assert_array_equal(frames, expected)
    assert frames.shape == (9, 32, 32, 3)
    assert frames.dtype == np.uint8


def test_two_runs_agree_bit_for_bit_and_another_seed_differs(pipe, tiny, unwarned):
    first = pipe(PROMPT, **tiny, **unwarned)
    second = pipe(PROMPT, **tiny, **unwarned)
    other = pipe(PROMPT, **{**tiny, "seed": 8}, **unwarned)
    np.testing.assert_array_equal(first.frames, second.frames)
    assert (first.frames != other.frames).any()


def test_a_seed_that_was_drawn_is_recorded_and_makes_the_same_video_again(pipe, tiny, unwarned):
    del tiny["seed"]
    drawn = pipe(PROMPT, **tiny, **unwarned)
    again = pipe(PROMPT, **tiny, seed=drawn.metadata.seed, **unwarned)
    np.testing.assert_array_equal(drawn.frames, again.frames)
    assert pipe(PROMPT, **tiny, **unwarned).metadata.seed != drawn.metadata.seed


def test_any_chunking_of_the_decode_gives_the_same_frames(pipe, tiny, unwarned):
    del tiny["decode_chunk"]
    videos = [pipe(PROMPT, **tiny, **unwarned, decode_chunk=chunk) for chunk in (None, 1, 2)]
    for video in videos[1:]:
        difference = np.abs(video.frames.astype(int) - videos[0].frames)
        assert difference.max() <= 1  # across plans, within 1/255


def test_float_frames_are_those_that_become_bytes_in_any_chunking(pipe, tiny, unwarned):
    expected = pipe(PROMPT, **tiny, **unwarned)
    video = pipe(PROMPT, **tiny, **unwarned, output_type="float32")
    assert video.frames.dtype == np.float32
    assert not video.frames.flags.writeable
    assert video.frames.min() >= 0
    assert video.frames.max() <= 1
    np.testing.assert_array_equal(video.to_uint8().frames, expected.frames)
    assert (video.frames * 255 != expected.frames).mean() > 0.5, "floats are not rounded"
    assert video.metadata == expected.metadata
    del tiny["decode_chunk"]
    for chunk in (1, 2):
        chunked = pipe(PROMPT, **tiny, **unwarned, output_type="float32", decode_chunk=chunk)
        np.testing.assert_allclose(chunked.frames, video.frames, rtol=0, atol=1e-5)


def test_given_latents_replace_the_seed(pipe, tiny, unwarned):
    del tiny["seed"]
    plan = pipe.plan(vidrt.GenerateOptions(**tiny))
    shape = (pipe.bundle.manifest.vae.latent_channels, plan.latent_frames, plan.latent_height, plan.latent_width)
    latents = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    first = pipe(PROMPT, **tiny, latents=latents, **unwarned)
    batched = pipe(PROMPT, **tiny, latents=latents[np.newaxis], **unwarned)
    strided = pipe(PROMPT, **tiny, latents=np.repeat(latents, 2, axis=3)[..., ::2], **unwarned)
    np.testing.assert_array_equal(first.frames, batched.frames)
    np.testing.assert_array_equal(first.frames, strided.frames)
    assert (first.frames != pipe(PROMPT, **tiny, latents=-latents, **unwarned).frames).any()


def test_a_list_of_prompts_gives_a_list_of_videos_each_as_if_alone(pipe, tiny, unwarned):
    prompts = [PROMPT, "a large blue square moving up"]
    videos = pipe(prompts, **tiny, **unwarned)
    assert [video.metadata.prompt for video in videos] == prompts
    for prompt, video in zip(prompts, videos, strict=True):
        np.testing.assert_array_equal(video.frames, pipe(prompt, **tiny, **unwarned).frames)


def test_a_bad_prompt_in_a_list_is_refused_before_anything_runs(pipe, tiny):
    steps = []
    with pytest.raises(vidrt.InvalidArgument, match="prompt is empty"):
        pipe([PROMPT, " "], **tiny, on_step=steps.append, on_warning=lambda message: None)
    with pytest.raises(vidrt.InvalidArgument, match="tokens"):
        pipe([PROMPT, "red " * 500], **tiny, on_step=steps.append, on_warning=lambda message: None)
    assert steps == []


def test_callbacks_tell_stages_steps_and_frames_in_order(pipe, tiny, unwarned):
    stages, steps, chunks = [], [], []
    video = pipe(PROMPT, **tiny, **unwarned, on_stage=stages.append, on_step=steps.append, on_frames=chunks.append)
    assert [step.step for step in steps] == [0, 1]
    assert steps[0].timestep > steps[1].timestep
    assert steps[0].num_inference_steps == 2
    assert [chunk.first_frame for chunk in chunks] == [0, 1, 5]
    np.testing.assert_array_equal(np.concatenate([chunk.frames for chunk in chunks]), video.frames)
    names = list(dict.fromkeys(event.stage for event in stages))
    assert names[-2:] == ["denoise", "decode"]
    last = {event.stage: event for event in stages}
    assert all(event.done == event.total for event in last.values())


def test_frames_of_a_callback_are_the_receivers_to_keep(pipe, tiny, unwarned):
    chunks = []
    pipe(PROMPT, **tiny, **unwarned, keep_frames=False, on_frames=lambda event: chunks.append(event.frames))
    kept = np.concatenate(chunks)
    np.testing.assert_array_equal(kept, pipe(PROMPT, **tiny, **unwarned).frames)
    chunks[0][:] = 0  # writable, and nobody else's


def test_frames_that_were_not_kept_are_refused_with_the_reason(pipe, tiny, unwarned):
    video = pipe(PROMPT, **tiny, **unwarned, keep_frames=False)
    with pytest.raises(vidrt.InvalidArgument, match="keep_frames=False"):
        _ = video.frames
    assert "frames not kept" in repr(video)


@pytest.mark.parametrize("callback", ["on_stage", "on_step", "on_frames", "on_warning"])
def test_an_exception_from_a_callback_leaves_as_itself_and_the_pipeline_stays_usable(pipe, tiny, unwarned, callback):
    class Mine(Exception):
        pass

    def fail(event):
        raise Mine("from the callback")

    before = pipe(PROMPT, **tiny, **unwarned)
    with pytest.raises(Mine, match="from the callback"):
        pipe(PROMPT, **tiny, **{**unwarned, callback: fail})
    np.testing.assert_array_equal(pipe(PROMPT, **tiny, **unwarned).frames, before.frames)


def test_the_pipeline_is_usable_after_every_kind_of_error(pipe, tiny, unwarned):
    before = pipe(PROMPT, **tiny, **unwarned)
    for wrong in ({"height": 33}, {"num_inference_steps": 0}, {"scheduler": "ddim"}):
        with pytest.raises(vidrt.InvalidArgument):
            pipe(PROMPT, **{**tiny, **wrong}, **unwarned)
    np.testing.assert_array_equal(pipe(PROMPT, **tiny, **unwarned).frames, before.frames)


@pytest.mark.parametrize("stage", ["denoise", "decode"])
def test_a_cancel_from_another_thread_ends_the_generation(pipe, tiny, unwarned, stage):
    token = vidrt.CancelToken()
    reached = threading.Event()
    done = threading.Event()

    def cancel_when_reached():
        reached.wait()
        token.cancel()
        done.set()

    def on_stage(event):
        if event.stage == stage and event.done > 0:
            reached.set()
            done.wait()  # with the GIL given up, so that the other thread can run

    thread = threading.Thread(target=cancel_when_reached)
    thread.start()
    with pytest.raises(vidrt.Cancelled, match="step 1 of 2" if stage == "denoise" else "frame 1 of 9"):
        pipe(PROMPT, **tiny, **unwarned, on_stage=on_stage, cancel=token)
    thread.join()
    token.reset()
    assert pipe(PROMPT, **tiny, **unwarned, cancel=token).frames.shape[0] == 9


def test_other_threads_run_while_the_core_works(pipe, tiny, unwarned):
    running = threading.Event()
    ran = threading.Event()
    finished = threading.Event()
    token = vidrt.CancelToken()

    def work():
        while not finished.wait(0.001):
            if running.is_set():
                ran.set()

    def on_step(step):
        running.set()
        if ran.is_set():
            token.cancel()

    thread = threading.Thread(target=work)
    thread.start()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # nobody is made to give up the GIL: only the core, of its own will
    try:
        with pytest.raises(vidrt.Cancelled):
            pipe(PROMPT, **{**tiny, "num_inference_steps": 1000}, **unwarned, on_step=on_step, cancel=token)
    finally:
        sys.setswitchinterval(interval)
        finished.set()
        thread.join()


def test_two_threads_on_one_pipeline_take_turns(pipe, tiny, unwarned):
    expected = pipe(PROMPT, **tiny, **unwarned).frames
    results = []

    def work():
        results.append(pipe(PROMPT, **tiny, **unwarned, on_step=lambda step: None).frames)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    for frames in results:
        np.testing.assert_array_equal(frames, expected)


def test_a_call_from_inside_a_callback_is_refused_instead_of_waiting_forever(pipe, tiny, unwarned):
    with pytest.raises(vidrt.InvalidArgument, match="already running"):
        pipe(PROMPT, **tiny, **unwarned, on_step=lambda step: pipe(PROMPT, **tiny, **unwarned))


def test_a_pipeline_can_be_collected(pocket_bundle):
    pipe = vidrt.TextToVideoPipeline(pocket_bundle)
    gone = weakref.ref(pipe)
    del pipe
    gc.collect()
    assert gone() is None


def test_the_plan_is_known_before_anything_is_loaded(pocket_bundle, tiny):
    pipe = vidrt.TextToVideoPipeline(pocket_bundle)
    plan = pipe.plan(vidrt.GenerateOptions(**tiny))
    assert (plan.num_frames, plan.height, plan.width) == (9, 32, 32)
    assert plan.guidance in ("batched", "sequential")
    assert plan.arena_bytes <= plan.unshared_bytes
    assert plan.weight_bytes < plan.total_bytes <= plan.weight_bytes + plan.arena_bytes
    assert all(tensor.offset + tensor.bytes <= plan.arena_bytes for tensor in plan.tensors)
    assert plan.to_dict()["tensors"][0]["name"] == plan.tensors[0].name


def test_a_memory_budget_too_small_says_what_is_needed(pocket_bundle):
    with pytest.raises(vidrt.OutOfMemory, match="budget"):
        vidrt.TextToVideoPipeline(pocket_bundle, memory_budget="1KiB").plan()


def test_metadata_and_timings_say_how_a_video_was_made(pipe, tiny, unwarned):
    video = pipe(PROMPT, **tiny, **unwarned, negative_prompt="blue", fps=12)
    meta = video.metadata
    assert (meta.prompt, meta.negative_prompt, meta.seed, meta.num_inference_steps) == (PROMPT, "blue", 7, 2)
    assert meta.backend == pipe.backend
    assert meta.backend.startswith("onnxruntime ")
    assert meta.vidrt_version == vidrt.__version__
    assert set(meta.variants) == set(pipe.bundle.modules) - {"vae_encoder"}  # which no text prompt needs
    assert video.fps == 12
    times = video.timings
    assert 0 < times.first_frame <= times.total
    assert times.session <= times.total


@pytest.mark.parametrize("backend", ["tensorflow", "", "ONNXRUNTIME"])
def test_an_unknown_backend_is_refused(pocket_bundle, backend):
    with pytest.raises(vidrt.InvalidArgument, match="backend"):
        vidrt.TextToVideoPipeline(pocket_bundle, backend=backend)


@pytest.mark.parametrize(
    ("backend", "says"), [("tensorrt", "TensorRT|driver"), ("tensorrt-rtx", "TensorRT for RTX|driver")]
)
def test_a_backend_that_this_machine_lacks_says_what_to_do(pocket_bundle, backend, says):
    if local_compute_capability() is not None:
        pytest.skip("this machine has a GPU")
    with pytest.raises(vidrt.BackendError, match=says):
        vidrt.TextToVideoPipeline(pocket_bundle, backend=backend)


@pytest.mark.parametrize("device", ["gpu", "cuda", "cuda:-1", "cpu:0"])
def test_an_unknown_device_is_refused(pocket_bundle, device):
    with pytest.raises(vidrt.Error, match="device"):
        vidrt.TextToVideoPipeline(pocket_bundle, backend="onnxruntime", device=device)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_a_thread_count_that_cannot_be_is_refused(pocket_bundle, threads):
    with pytest.raises(vidrt.InvalidArgument, match="threads"):
        vidrt.TextToVideoPipeline(pocket_bundle, threads=threads)


def test_a_missing_library_says_what_to_install_and_where_it_was_looked_for(run_python, pocket_bundle):
    code = """
import os, sys, vidrt
os.environ.pop("VIDRT_ONNXRUNTIME", None)
sys.modules["onnxruntime"] = None  # as if the wheel were not installed
import importlib.util
importlib.util.find_spec = lambda name: None
try:
    vidrt.TextToVideoPipeline(sys.argv[1])("a red circle", num_frames=1, height=32, width=32, on_warning=print)
except vidrt.BackendError as error:
    print(error)
"""
    result = run_python(code, str(pocket_bundle))
    assert "vidrt[cpu]" in result.stdout, result.stdout + result.stderr
    assert "libonnxruntime" in result.stdout
