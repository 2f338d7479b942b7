"""A user's mistake on the command line: one clear error, the documented exit code, nothing written, no traceback."""

import json
import os
import resource
import subprocess
import sys

import pytest

PROMPT = "a small red circle moving left"
TINY = ("--height", "32", "--width", "32", "--num-frames", "9", "--steps", "2")


def check_refused(result, code, *parts):
    assert result.returncode == code, result.stdout + result.stderr
    for part in parts:
        assert part in result.stderr, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ((PROMPT, "--no-such-option"), ["--no-such-option"]),
        ((PROMPT, "--height", "tall"), ["--height", "integer"]),
        ((PROMPT, "--height", "33"), ["height must be", "got 33", "nearest valid: 32, 48"]),
        ((PROMPT, "--width", "100000"), ["width must be", "nearest valid"]),
        ((PROMPT, "--num-frames", "80"), ["num_frames must be", "got 80", "nearest valid: 77, 81"]),
        (("",), ["prompt is empty"]),
        (("  ",), ["prompt is empty"]),
        (("red " * 100,), ["tokens", "101", "truncate"]),
        ((PROMPT, "--guidance-scale", "nan"), ["guidance_scale must be finite, got nan"]),
        ((PROMPT, "--guidance-scale", "inf"), ["guidance_scale must be finite, got inf"]),
        ((PROMPT, "--steps", "0"), ["num_inference_steps", "got 0"]),
        ((PROMPT, "--seed", "-1"), ["seed must be 0 to"]),
        ((PROMPT, "--fps", "0"), ["fps"]),
        ((PROMPT, "--scheduler", "ddim"), ["ddim", "euler"]),
        ((PROMPT, "--backend", "tensorflow"), ["tensorflow", "onnxruntime"]),
        ((PROMPT, "--threads", "0"), ["threads"]),
        ((PROMPT, "--memory-budget", "lots"), ["memory_budget", "lots"]),
        ((PROMPT, "-o", "clip.avi"), ["clip.avi", ".mp4, .webm, .gif, .y4m"]),
        ((PROMPT, "--output-type", "float16"), ["output_type must be uint8 or float32, got 'float16'"]),
        ((PROMPT, "-o", "clip.mp4", "--output-type", "float32"), [".mp4 cannot hold float32", "Write .npy"]),
        ((PROMPT, "-o", "clip.gif", "--output-type", "float32"), [".gif cannot hold float32", "Write .npy"]),
        ((PROMPT, "-o", "clip", "--output-type", "float32"), ["PNG files cannot hold float32", "Write .npy"]),
    ],
    ids=lambda value: "-".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_bad_input_is_exit_code_2_and_writes_nothing(run_vidrt, tmp_path, arguments, parts):
    check_refused(run_vidrt("generate", *arguments), 2, *parts)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_command_is_exit_code_2(run_vidrt):
    check_refused(run_vidrt("genrate"), 2, "genrate")


def test_a_missing_bundle_is_exit_code_3(run_vidrt, tmp_path):
    check_refused(run_vidrt("generate", PROMPT, "--bundle", "nowhere"), 3, "error: ", "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_from_the_future_is_exit_code_3(run_vidrt, bundle_copy):
    manifest = json.loads((bundle_copy / "manifest.json").read_text())
    manifest["schema_version"] = 999
    (bundle_copy / "manifest.json").write_text(json.dumps(manifest))
    check_refused(run_vidrt("inspect", str(bundle_copy)), 3, "999")


def test_a_bundle_with_changed_weights_is_exit_code_3_before_anything_is_written(run_vidrt, bundle_copy, tmp_path):
    name = next(iter(json.loads((bundle_copy / "manifest.json").read_text())["data_files"]))
    data = bytearray((bundle_copy / name).read_bytes())
    data[-1] ^= 1
    (bundle_copy / name).write_bytes(data)
    check_refused(run_vidrt("inspect", "--verify", str(bundle_copy)), 3, name.split("/")[-1])
    check_refused(run_vidrt("generate", PROMPT, "-o", "c.gif", "-q", "--bundle", str(bundle_copy)), 3)
    assert not (tmp_path / "c.gif").exists()


def test_a_missing_library_is_exit_code_4(run_vidrt_process, tmp_path):
    result = run_vidrt_process("generate", PROMPT, *TINY, "-q", VIDRT_ONNXRUNTIME=str(tmp_path / "libnone.so"))
    check_refused(result, 4, "libnone.so")


def test_an_unknown_variant_is_exit_code_4(run_vidrt):
    check_refused(run_vidrt("generate", PROMPT, "--variant", "int3"), 4, "int3")


def test_too_small_a_memory_budget_is_exit_code_5(run_vidrt):
    check_refused(run_vidrt("generate", PROMPT, "--memory-budget", "1KiB"), 5, "error: ")


@pytest.mark.parametrize("target", ["missing/c.gif", "missing/c.mp4", "missing/c"])
def test_an_unwritable_output_is_exit_code_6_before_anything_runs(run_vidrt, tmp_path, target):
    check_refused(run_vidrt("generate", PROMPT, "-o", target, "-q"), 6, "cannot write", "No such file or directory")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_embeddings_file_is_exit_code_6(run_vidrt):
    check_refused(run_vidrt("generate", "--prompt-embeds", "none.safetensors"), 6, "none.safetensors")


def test_an_embeddings_file_of_another_kind_is_exit_code_2(run_vidrt, tmp_path):
    (tmp_path / "notes.safetensors").write_text("no tensors here")
    check_refused(run_vidrt("generate", "--prompt-embeds", "notes.safetensors"), 2, "notes.safetensors")


@pytest.mark.parametrize("name", ["c.mp4", "c.y4m"])
def test_a_full_disk_is_exit_code_6_and_leaves_nothing(pocket_bundle, tmp_path, name):
    result = subprocess.run(
        [sys.executable, "-m", "vidrt.engine.cli", "generate", PROMPT, "-o", name, "-q", *TINY],
        cwd=tmp_path,
        env={**os.environ, "VIDRT_BUNDLE": str(pocket_bundle), "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600)),
        capture_output=True,
        text=True,
        check=False,
    )
    check_refused(result, 6, f"cannot write {name}: File too large")
    assert list(tmp_path.iterdir()) == []


def test_a_traceback_is_shown_on_request(run_vidrt):
    result = run_vidrt("generate", PROMPT, "--height", "33", VIDRT_DEBUG="1")
    assert result.returncode == 2
    assert "Traceback" in result.stderr
    assert "error: height must be" in result.stderr


def test_an_error_of_ours_is_exit_code_1_and_asks_for_a_report(monkeypatch, capsys):
    from vidrt.engine.cli import main

    monkeypatch.setattr(sys, "argv", ["vidrt", "doctor"])
    monkeypatch.setattr("vidrt.engine.doctor.diagnose", lambda: 1 / 0)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    shown = capsys.readouterr().err
    assert shown.startswith("internal error: ZeroDivisionError")
    assert "VIDRT_DEBUG=1" in shown
    assert "Traceback" not in shown


def test_the_help_lists_the_exit_codes(run_vidrt):
    text = " ".join(run_vidrt("--help").stdout.split())
    for part in ("0 ok", "2 bad input", "3 bundle", "4 backend", "5 memory", "6 reading", "130 cancelled"):
        assert part in text
