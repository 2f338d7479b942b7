"""`vidrt predict`: devices, the roofline, the runs of a plan, what is printed, what is refused."""

from __future__ import annotations

import dataclasses
import json
import re
from types import SimpleNamespace

import pytest

import vidrt
from vidrt.engine.builder.source import weight_bytes
from vidrt.engine.cli.predict import _memory as described_memory
from vidrt.engine.errors import BackendError, InvalidArgument
from vidrt.engine.options import GenerateOptions
from vidrt.engine.predict import device_spec, known_devices, predict
from vidrt.engine.predict.arithmetic import Operations
from vidrt.engine.predict.devices import DeviceSpec
from vidrt.engine.predict.graph import sized_graph
from vidrt.engine.predict.kernels import Kernel, graph_cost
from vidrt.engine.predict.memory import predicted_memory
from vidrt.engine.predict.roofline import BEST, WORST, Share, kernel_seconds, run_seconds
from vidrt.engine.predict.runs import Runs, input_shapes, planned_runs
from vidrt.engine.vae_tiling import VaeTiling

needs_onnx = pytest.fixture(autouse=True)(
    lambda: pytest.importorskip("onnx", reason="graphs are read with onnx, which the extra `predict` brings")
)
ORIN = known_devices()["jetson-orin-nano"]
DEVICE = DeviceSpec("d", "a device", 2**30, 100.0, {"fp32": 10.0, "fp16": 1000.0}, ("a test",), "")
SHARE = Share(matrix=0.5, vector=0.25, bandwidth=0.5, launch_seconds=2.0)


def kernel(matrix=0, vector=0, moved=0, precision="fp16"):
    return Kernel("MatMul", precision, Operations(matrix, vector), moved)


def test_a_kernel_takes_the_longer_of_arithmetic_and_memory_and_its_launch():
    assert kernel_seconds(kernel(matrix=5000, moved=100), DEVICE, SHARE).total == 5000 / 500 + 2
    assert kernel_seconds(kernel(matrix=5000, moved=1000), DEVICE, SHARE).total == 1000 / 50 + 2
    both = kernel_seconds(kernel(matrix=5000, vector=10), DEVICE, SHARE)
    assert (both.arithmetic, both.memory, both.launches, both.limit) == (10 + 10 / 2.5, 0, 2, "arithmetic")
    assert kernel_seconds(kernel(matrix=50, precision="fp32"), DEVICE, SHARE).arithmetic == 10
    assert kernel_seconds(kernel(matrix=50, precision="bf16"), DEVICE, SHARE).arithmetic == 10  # no units of its own
    assert kernel_seconds(kernel(moved=10), DEVICE, SHARE).limit == "launches"
    run = run_seconds([kernel(matrix=5000), kernel(moved=1000)], DEVICE, SHARE) * 3
    assert (run.arithmetic, run.memory, run.launches, run.total, run.limit) == (30, 60, 12, 102, "memory")


def test_every_device_has_a_source_with_a_year_and_dense_rates_that_fit_together():
    devices = known_devices()
    assert {"jetson-orin-nano", "jetson-orin-nano-super", "jetson-orin-nx-16gb", "jetson-agx-orin-64gb",
            "jetson-agx-thor", "rtx-4060", "rtx-4090", "rtx-5090"} <= set(devices)  # fmt: skip
    for name, device in devices.items():
        assert device.name == name
        assert all(re.search(r"\b20[12]\d\b", source) for source in device.sources), name
        assert device.peaks["fp16"] == device.peaks["bf16"] > device.peaks["fp32"]
        # Dense int8 is twice fp16 on these, four times where fp16 accumulates in fp32 at half the rate (GeForce).
        ratio = device.peaks.get("int8", 2 * device.peaks["fp16"]) / device.peaks["fp16"]
        assert ratio == pytest.approx(4 if name.startswith("rtx") else 2, rel=0.03), name
    assert devices["jetson-orin-nano-super"].bandwidth == 102e9
    assert devices["jetson-agx-orin-64gb"].memory_bytes == 64 * 2**30


@pytest.mark.parametrize(
    "change", [{"bandwidth": 0.0}, {"bandwidth": float("nan")}, {"peaks": {"fp16": 1.0}}, {"sources": ()},
               {"peaks": {"fp32": 1.0, "fp8": 2.0}}, {"memory_bytes": -1}],
)  # fmt: skip
def test_a_device_with_figures_that_cannot_be_is_refused(change):
    with pytest.raises(InvalidArgument, match="needs positive figures"):
        dataclasses.replace(ORIN, **change)


def test_the_processor_is_measured():
    device = device_spec("cpu")
    assert device.backend == "onnxruntime"
    assert 1e9 < device.peaks["fp32"] < 1e14
    assert 1e8 < device.bandwidth < 1e13
    assert "measured now" in device.sources[0]


def plan_of(pocket_bundle, **options):
    pipe = vidrt.TextToVideoPipeline(pocket_bundle)
    return pipe, pipe.plan(GenerateOptions(**options))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"num_frames": 17, "num_inference_steps": 5, "decode_chunk": 1},
         [Runs("text_encoder", 2), Runs("denoiser", 5, batch=2), Runs("vae_decoder_first", 1),
          Runs("vae_decoder_next", 4)]),
        ({"num_frames": 17, "num_inference_steps": 5, "decode_chunk": 3, "guidance_scale": 1.0},
         [Runs("text_encoder", 1), Runs("denoiser", 5), Runs("vae_decoder_first", 1),
          Runs("vae_decoder_next", 1, chunk=3), Runs("vae_decoder_next", 1)]),
        ({"num_frames": 1, "num_inference_steps": 1},
         [Runs("text_encoder", 2), Runs("denoiser", 1, batch=2), Runs("vae_decoder_first", 1)]),
    ],
)  # fmt: skip
def test_runs_are_those_of_the_plan(pocket_bundle, options, expected):
    pipe, plan = plan_of(pocket_bundle, **options)
    assert planned_runs(pipe.bundle.manifest, plan) == expected


def test_sequential_guidance_is_two_runs_a_step_and_tiles_multiply_the_decoder(pocket_bundle):
    pipe, plan = plan_of(
        pocket_bundle, num_inference_steps=5, height=96, width=96, vae_tiling=VaeTiling("on", 64, 64, 48, 48)
    )
    assert plan.tiles.count == 4
    runs = planned_runs(pipe.bundle.manifest, dataclasses.replace(plan, guidance="sequential"))
    assert runs[1] == Runs("denoiser", 10)
    assert [one.times for one in runs[2:]] == [4, 16]
    inputs = pipe.bundle.modules["vae_decoder_next"].variants[0].inputs
    shapes = input_shapes(pipe.bundle.manifest, plan, runs[3], inputs)
    assert shapes["latents"] == (1, 8, 1, plan.tiles.height // 8, plan.tiles.width // 8)
    latents = pipe.bundle.modules["denoiser"].variants[0].inputs
    assert input_shapes(pipe.bundle.manifest, plan, runs[1], latents)["latents"] == (1, 8, 5, 12, 12)


def test_a_prediction_adds_up_its_stages_and_is_called_one(pocket_bundle):
    pipe, plan = plan_of(pocket_bundle)
    result = predict(pipe, ORIN, GenerateOptions())
    assert [stage.module for stage in result.stages] == [
        "text_encoder",
        "denoiser",
        "vae_decoder_first",
        "vae_decoder_next",
    ]
    assert {stage.precision for stage in result.stages} == {"fp16"}
    assert 0 < result.best < result.worst
    assert result.plan == plan
    shown = result.to_dict()
    assert shown["kind"] == "prediction"
    assert shown["seconds"] == {"best": result.best, "worst": result.worst}
    denoiser = result.stages[1]
    variant = next(one for one in pipe.bundle.modules["denoiser"].variants if one.id == "fp16")
    sizes = input_shapes(pipe.bundle.manifest, plan, Runs("denoiser", 20, batch=2), variant.inputs)
    cost = graph_cost(sized_graph(pipe.bundle.resolve(variant.file), sizes), fused_attention=True)
    assert (denoiser.flops, denoiser.bytes, denoiser.kernels) == (20 * cost.flops, 20 * cost.bytes, len(cost.kernels))
    assert denoiser.best.total == pytest.approx(20 * run_seconds(cost.kernels, ORIN, BEST).total)
    assert denoiser.worst.total == pytest.approx(20 * run_seconds(cost.kernels, ORIN, WORST).total)


def test_graphs_with_vidrts_operators_do_the_arithmetic_of_the_stock_graphs(pocket_bundle):
    """The stock graph pads before each convolution and the rewritten one does not: other bytes, the same operations."""
    pipe, plan = plan_of(pocket_bundle)
    for name in ("denoiser", "vae_decoder_first", "vae_decoder_next"):
        costs = {}
        for variant in pipe.bundle.modules[name].variants:
            sizes = input_shapes(pipe.bundle.manifest, plan, Runs(name, 1), variant.inputs)
            costs[variant.id] = graph_cost(sized_graph(pipe.bundle.resolve(variant.file), sizes), fused_attention=False)
            assert not costs[variant.id].uncounted
        assert costs["vidrt"].flops == costs["fp32"].flops == costs["fp16"].flops
        assert costs["vidrt"].bytes < costs["fp32"].bytes
        assert 0.5 * costs["fp32"].bytes < costs["fp16"].bytes < 0.7 * costs["fp32"].bytes


def test_more_steps_frames_and_pixels_take_longer(pocket_bundle):
    pipe = vidrt.TextToVideoPipeline(pocket_bundle)
    usual = predict(pipe, ORIN, GenerateOptions(num_inference_steps=10))
    assert predict(pipe, ORIN, GenerateOptions(num_inference_steps=20)).stages[1].best.total == pytest.approx(
        2 * usual.stages[1].best.total
    )
    assert predict(pipe, ORIN, GenerateOptions(num_inference_steps=10, num_frames=33)).best > usual.best
    assert predict(pipe, ORIN, GenerateOptions(num_inference_steps=10, height=128)).best > usual.best
    assert predict(pipe, known_devices()["rtx-4090"], GenerateOptions(num_inference_steps=10)).best < usual.best


def test_a_precision_chooses_the_graphs(pocket_bundle):
    pipe = vidrt.TextToVideoPipeline(pocket_bundle)
    half, single = (predict(pipe, ORIN, GenerateOptions(), precision) for precision in ("fp16", "fp32"))
    assert {stage.precision for stage in single.stages} == {"fp32"}
    assert {stage.variant for stage in single.stages} == {"fp32"}  # no plugins: the stock graphs
    assert single.best > half.best
    assert single.memory.weight_bytes == 2 * half.memory.weight_bytes
    with pytest.raises(
        BackendError, match=r"text_encoder has no graph that computes in bf16 for tensorrt; it has fp16, fp32"
    ):
        predict(pipe, ORIN, GenerateOptions(), "bf16")
    with pytest.raises(InvalidArgument, match="precision must be one of fp32, fp16, bf16, got 'half'"):
        predict(pipe, ORIN, GenerateOptions(), "half")


def test_weights_are_those_of_the_precision_that_is_computed_in():
    for precision, storage, expected in (("fp32", "fp16", 20), ("fp16", "fp32", 5), ("bf16", "bf16", 10)):
        assert weight_bytes(SimpleNamespace(weight_bytes=10, precision=precision, storage=storage)) == expected
    assert weight_bytes(SimpleNamespace(weight_bytes=10, precision="fp32", storage="int8")) == 10  # stay as they are


def test_memory_fits_whole_by_stages_or_not(pocket_bundle):
    _, plan = plan_of(pocket_bundle)
    weights = {"text_encoder": 100, "denoiser": 300, "vae_decoder_first": 50, "vae_decoder_next": 60}
    working = {"text_encoder": 5, "denoiser": 40, "vae_decoder_first": 7, "vae_decoder_next": 8}
    for size, fits in ((500, "all"), (499, "stage_by_stage"), (340, "stage_by_stage"), (339, "no")):
        device = dataclasses.replace(ORIN, memory_bytes=size + plan.arena_bytes)
        memory = predicted_memory(device, plan, weights, working)
        assert (memory.weight_bytes, memory.stage_weight_bytes, memory.working_bytes) == (460, 300, 40)
        assert memory.fits == fits
        assert memory.to_dict()["fits"] == fits
        said = {"all": "all modules loaded", "stage_by_stage": "one stage at a time (", "no": "does not fit into"}
        assert said[fits] in described_memory(memory)


def test_the_command_says_that_it_predicts_and_what_it_assumes(run_vidrt):
    result = run_vidrt("predict", "--device", "jetson-orin-nano", "--num-frames", "33", "--steps", "4")
    assert result.returncode == 0, result.stderr
    first, *_ = result.stdout.splitlines()
    assert first == "prediction for Jetson Orin Nano 8GB: nothing of it was measured there"
    for part in ("33 frames of 64x64, 4 steps", "denoiser", "predicted in all: ", "predicted memory ", "assumed:",
                 "fits into 8.0 GiB with all modules", "Data Sheet, 2023", "30% to 80% of the peak in"):  # fmt: skip
        assert part in result.stdout
    shown = json.loads(run_vidrt("predict", "--device", "rtx-4060", "--json").stdout)
    assert shown["kind"] == "prediction"
    assert shown["device"]["sources"]
    assert shown["seconds"]["best"] < shown["seconds"]["worst"]
    assert shown["memory"]["fits"] == "all"


def test_the_command_refuses_what_plan_would_and_devices_that_it_does_not_know(run_vidrt):
    unknown = run_vidrt("predict", "--device", "jetson-orin-nana")
    assert unknown.returncode == 2
    assert "known are cpu, jetson-orin-nano, " in unknown.stderr
    assert "Did you mean jetson-orin-nano?" in unknown.stderr
    size = run_vidrt("predict", "--device", "rtx-4060", "--height", "70")
    assert size.returncode == 2
    assert size.stderr == run_vidrt("plan", "--height", "70").stderr
    assert run_vidrt("predict").returncode == 2


def test_torch_is_never_imported(run_python, pocket_bundle):
    code = (
        "import sys; from vidrt.engine.predict import *; import vidrt; "
        "predict(vidrt.TextToVideoPipeline(sys.argv[1]), device_spec('rtx-4090'), vidrt.GenerateOptions()); "
        "print('torch' in sys.modules)"
    )
    result = run_python(code, str(pocket_bundle))
    assert result.stdout.strip() == "False", result.stderr
