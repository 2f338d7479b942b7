"""Networks and options of `vidrt build` in TensorRT itself, which builds nothing without a GPU but takes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vidrt.engine.bundle import Bundle

PROBE = Path(__file__).resolve().parent / "builder_probe.py"


@pytest.fixture(scope="module")
def ask(in_tensorrt: Callable[..., dict[str, Any]], pocket_bundle: Path) -> Callable[..., dict[str, Any]]:
    def run(options: list[dict[str, Any]], plugins: str = "") -> dict[str, Any]:
        return in_tensorrt(PROBE, options, pocket_bundle, plugins)

    return run


OPTIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"flags": ["TF32"], "level": 3, "compatibility": "NONE"}),
    ({"optimization_level": 5, "workspace_bytes": 2**20}, {"level": 5, "workspace": 2**20}),
    ({"strip": True}, {"flags": ["REFIT_IDENTICAL", "STRIP_PLAN", "TF32"]}),
    ({"refit": True}, {"flags": ["REFIT", "TF32"]}),
    ({"strip": True, "refit": True}, {"flags": ["REFIT", "STRIP_PLAN", "TF32"]}),
    ({"weight_streaming": True}, {"flags": ["TF32", "WEIGHT_STREAMING"]}),
    (
        {"version_compatible": True, "plugins": ["/p/x.so"], "serialize_plugins": True},
        {"flags": ["TF32", "VERSION_COMPATIBLE"], "serialized": ["/p/x.so"]},
    ),
    ({"hardware_compatibility": "ampere_plus"}, {"compatibility": "AMPERE_PLUS"}),
    ({"hardware_compatibility": "same_compute_capability"}, {"compatibility": "SAME_COMPUTE_CAPABILITY"}),
]


def test_every_option_reaches_tensorrt_and_every_stock_graph_parses(
    ask: Callable[..., dict[str, Any]], pocket_bundle: Path
) -> None:
    answer = ask([settings for settings, _ in OPTIONS])
    for configured, (settings, expected) in zip(answer["configured"], OPTIONS, strict=True):
        assert {**configured, **expected, "errors": []} == configured, settings
    # TensorRT numbers profiles from 0, and gives -1 for one that it refuses.
    stock = {precision: {"plugins": 0, "profile": 0} for precision in ("fp16", "fp32")}
    assert answer["parsed"] == dict.fromkeys(Bundle(pocket_bundle).modules, stock)
    assert answer["errors"] == []


def test_the_variants_with_plugins_parse_with_every_operator_as_a_plugin(
    ask: Callable[..., dict[str, Any]], plugin_library: Path, pocket_bundle: Path
) -> None:
    parsed = ask([], str(plugin_library))["parsed"]
    bundle = Bundle(pocket_bundle)
    for name, module in bundle.modules.items():
        for variant in module.variants:
            if variant.custom_ops and "tensorrt" in variant.backends:
                operators = bundle.operators(variant)
                expected = sum(operators[operator] for operator in variant.custom_ops)
                assert parsed[name][variant.id] == {"plugins": expected, "profile": 0}
    assert parsed["denoiser"]["plugin"]["plugins"] == parsed["denoiser"]["fp16-plugin"]["plugins"] > 0
