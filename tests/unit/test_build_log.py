"""What is read from TensorRT's log and from its progress; the texts are TensorRT for RTX 1.7's."""

from vidrt.engine.builder.build_log import BuildLog, Layer
from vidrt.engine.builder.monitor import BuildProgress

MISMATCH = (
    "Profile kMAX values are not self-consistent. plus: dimensions not compatible for elementwise. Condition '==' "
    "violated: 14 != 15. In operator() at /_src/runtime/core/shapeMachine.cpp:640 Instruction: CHECK_EQUAL 14 15."
)


def test_figures_layers_and_errors_are_found():
    log = BuildLog()
    log.add("INFO", "Max Scratch Memory: 2000 bytes")
    log.add("INFO", "Total Activation Memory: 3000 bytes")
    log.add("VERBOSE", "Name: conv_0, LayerType: gemm, Inputs: [ { Name: x }], TacticName: sm80, StreamId: 0")
    log.add("VERBOSE", " Name: latents, IOMode: Input, DataType: Float")
    log.add("ERROR", "Error Code 7: BuildCanceled (Build canceled by user In next at /_src/optimizer/reporter.cpp:92)")
    log.add("WARNING", "getHardwareCompatibilityLevel() is unsupported in TensorRT-RTX.")
    log.add("WARNING", "Something that matters")
    assert [log.figure(name) for name in ("scratch_bytes", "activation_bytes", "weight_bytes")] == [2000, 3000, None]
    assert log.layers == [Layer("conv_0", "gemm", "sm80")]
    assert log.errors == ["Error Code 7: BuildCanceled (Build canceled by user)"]
    assert log.warnings == ["Something that matters"]
    assert log.fatal is None
    assert log.text().startswith("INFO: Max Scratch Memory: 2000 bytes\n")


def test_sizes_that_contradict_each_other_are_fatal_whatever_their_severity():
    log = BuildLog()
    log.add("WARNING", MISMATCH)
    assert log.fatal is not None
    assert log.fatal.startswith("Profile kMAX values are not self-consistent. plus: ")
    assert "/_src" not in log.fatal


def test_the_least_that_the_gpu_refused_is_found():
    log = BuildLog()
    assert log.refused_bytes is None
    for count in (17179869184, 15485030400, 68719476736):
        log.add("WARNING", f"Requested amount of GPU memory ({count} bytes) could not be allocated. There may not be")
    assert log.refused_bytes == 15485030400


def test_progress_counts_phases_inside_phases_and_never_goes_back():
    progress = BuildProgress()
    assert progress.state == ("", 0.0)
    progress.start("whole", None, 2)
    progress.start("half", "whole", 4)
    progress.step("half")
    assert progress.state == ("half", 0.125)
    for _ in range(3):
        progress.step("half")
    progress.finish("half")
    progress.start("other", "whole", 10)
    progress.step("other")  # before TensorRT has said that the first half is done
    assert progress.state == ("other", 0.5)
    progress.step("whole")
    progress.step("whole")
    progress.finish("other")
    progress.finish("whole")
    assert progress.state == ("", 1.0)
