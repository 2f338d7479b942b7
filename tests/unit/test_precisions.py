"""Precisions as they are wished for on the command line, and what a build makes of such a wish."""

import json

import pytest

from vidrt.engine.builder import BuildOptions, EngineCache, build_engines
from vidrt.engine.builder.source import choose_variant, precisions_of
from vidrt.engine.builder.targets import PORTABLE, check_precision
from vidrt.engine.bundle import Bundle
from vidrt.engine.errors import BackendError, InvalidArgument
from vidrt.engine.precision import EVERY_MODULE, parse_precisions


@pytest.fixture(scope="module")
def bundle(pocket_bundle):
    return Bundle(pocket_bundle)


def test_a_wish_is_for_every_module_or_for_one():
    assert parse_precisions([]) == {}
    assert parse_precisions(["fp16"]) == {EVERY_MODULE: ("fp16",)}
    assert parse_precisions(["fp16,bf16", "denoiser=bf16", "text_encoder = fp32".replace(" ", "")]) == {
        EVERY_MODULE: ("fp16", "bf16"),
        "denoiser": ("bf16",),
        "text_encoder": ("fp32",),
    }


@pytest.mark.parametrize("text", ["", "half", "FP16", "fp16,", "fp16,fp16", "=fp16", "denoiser=", "denoiser", "fp8"])
def test_anything_else_is_refused_with_what_was_given(text):
    with pytest.raises(InvalidArgument, match="expected each of fp32, fp16, bf16 at most once") as caught:
        parse_precisions([text])
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("texts", [["fp16", "bf16"], ["denoiser=fp16", "denoiser=fp16"]])
def test_two_wishes_for_the_same_are_refused(texts):
    with pytest.raises(InvalidArgument, match=r"got two precisions for (every module|denoiser)"):
        parse_precisions(texts)


def test_tensorrt_prefers_the_measured_fp16_graphs_of_the_shipped_bundle(bundle):
    for module in bundle.modules.values():
        for backend in ("tensorrt", "tensorrt-rtx"):
            assert precisions_of(module, backend) == ["fp16", "fp32"]
            assert choose_variant(module, BuildOptions(backend)).id == "fp16"
            assert choose_variant(module, BuildOptions(backend, precisions={EVERY_MODULE: "fp32"})).id == "fp32"
        assert precisions_of(module, "onnxruntime") == ["fp32"]
        assert precisions_of(module, "onnxruntime-cuda") == ["fp32"]


def test_a_wish_for_one_module_goes_before_that_for_all(bundle):
    options = BuildOptions("tensorrt-rtx", precisions={EVERY_MODULE: "fp16", "denoiser": "fp32"})
    chosen = {name: choose_variant(module, options).id for name, module in bundle.modules.items()}
    assert chosen == {name: "fp32" if name == "denoiser" else "fp16" for name in bundle.modules}


def test_plugins_are_taken_in_the_precision_that_is_wished_for(bundle, tmp_path):
    library = tmp_path / "libvidrt_trt_plugins.so"
    denoiser = bundle.modules["denoiser"]
    for precision, variant in (("fp16", "fp16-plugin"), ("fp32", "plugin")):
        options = BuildOptions("tensorrt", plugins=(library,), precisions={"denoiser": precision})
        assert choose_variant(denoiser, options).id == variant


def test_a_precision_that_the_bundle_lacks_is_refused_with_those_it_has(bundle, tmp_path):
    options = BuildOptions("tensorrt-rtx", precisions={"denoiser": "bf16"})
    with pytest.raises(
        BackendError, match="denoiser has no graph that computes in bf16 for tensorrt-rtx; it has fp16,"
    ):
        build_engines(bundle, options, cache=EngineCache(tmp_path / "engines"))
    with pytest.raises(BackendError, match="export the bundle with --precision denoiser=bf16"):
        build_engines(bundle, options, cache=EngineCache(tmp_path / "engines"))
    assert not (tmp_path / "engines").exists()


def test_a_variant_of_another_precision_is_refused(bundle):
    options = BuildOptions("tensorrt-rtx", variant="fp32", precisions={EVERY_MODULE: "fp16"})
    with pytest.raises(BackendError, match="the variant fp32 of denoiser does not compute in fp16"):
        choose_variant(bundle.modules["denoiser"], options)


def test_a_module_that_there_is_not_is_refused(bundle, tmp_path):
    options = BuildOptions("tensorrt-rtx", precisions={"denoizer": "fp16"})
    with pytest.raises(InvalidArgument, match="pocket has no module 'denoizer'; it has denoiser"):
        build_engines(bundle, options, cache=EngineCache(tmp_path))


def test_a_word_that_is_no_precision_is_refused():
    with pytest.raises(InvalidArgument, match="precision must be one of fp32, fp16, bf16, got 'half'"):
        BuildOptions("tensorrt-rtx", precisions={EVERY_MODULE: "half"})


def test_every_precision_is_taken_where_the_target_has_it():
    for precision in ("fp32", "fp16", "bf16"):
        check_precision("denoiser", precision, PORTABLE, ())
    check_precision("denoiser", "fp16", ("5.3",), ())
    check_precision("denoiser", "bf16", ("8.0+",), ())
    check_precision("denoiser", "fp8", ("8.9",), ())


@pytest.mark.parametrize(
    ("precision", "targets", "others", "parts"),
    [
        ("bf16", ("8.9", "7.5"), ("fp16", "fp32"), ["bf16", "7.5 lacks", "8.0 or later", "--precision denoiser=fp16"]),
        ("bf16", ("7.5",), (), ["Export the bundle with --precision fp16, or leave 7.5 out"]),
        ("fp16", ("5.2",), ("bf16", "fp32"), ["5.2 lacks", "5.3 or later", "--precision denoiser=fp32"]),
        ("fp8", ("8.7",), (), ["8.7 lacks", "8.9 or later"]),
    ],
)
def test_a_precision_that_a_target_lacks_is_refused_with_what_would_do(precision, targets, others, parts):
    with pytest.raises(BackendError) as caught:
        check_precision("denoiser", precision, targets, others)
    for part in ("denoiser", *parts):
        assert part in str(caught.value)


def test_a_target_that_lacks_a_precision_is_refused_before_tensorrt_is_loaded(bundle_copy, tmp_path, monkeypatch):
    path = bundle_copy / "manifest.json"
    manifest = json.loads(path.read_text())
    for module in manifest["modules"].values():
        for variant in module["variants"]:
            variant["precision"] = variant["precision"].replace("fp16", "bf16")
    path.write_text(json.dumps(manifest))
    monkeypatch.setattr("vidrt.engine.builder.builder.load_flavour", lambda backend: pytest.fail("loaded"))
    options = BuildOptions("tensorrt-rtx", compute_capabilities=("7.5",))
    with pytest.raises(BackendError, match=r"would compute in bf16, which compute capability 7.5 lacks"):
        build_engines(Bundle(bundle_copy), options, cache=EngineCache(tmp_path / "engines"))


def test_the_command_takes_one_precision_a_module(run_vidrt, pocket_bundle):
    for precision, message in (
        ("fp16,fp32", "an engine computes in one precision, got fp16,fp32"),
        ("half", "a precision is written as fp16, or denoiser=fp16"),
        ("denoizer=fp16", "pocket has no module 'denoizer'"),
        ("denoiser=bf16", "denoiser has no graph that computes in bf16"),
    ):
        result = run_vidrt("build", str(pocket_bundle), "--backend", "tensorrt-rtx", "--precision", precision)
        assert result.returncode != 0
        assert message in result.stderr.replace("\n", " ")
        assert "Traceback" not in result.stderr
