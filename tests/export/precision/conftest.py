"""Small graphs, and what is read off them."""

from __future__ import annotations

import re
from collections.abc import Callable

import onnx
import onnx_ir as ir
import pytest

from vidrt.export.precision.rewrite import to_precision


@pytest.fixture(scope="session")
def parse() -> Callable[[str], ir.Model]:
    """A graph from its text, with the dtype and shape of every value; "ones16" stands for 16 of them."""

    def make(text: str) -> ir.Model:
        text = re.sub(r"\bones(\d+)", lambda match: ", ".join(["1"] * int(match[1])), text)
        model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 22, "vidrt" : 1]>\n{text}')
        return ir.from_proto(onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True))

    return make


@pytest.fixture(scope="session")
def lowered(parse: Callable[[str], ir.Model]) -> Callable[..., dict[str, list[str]]]:
    """Rewrite a graph, check it whole, and give the dtype of each node's first output by operator, in order."""

    def rewrite(text: str, precision: str = "fp16") -> dict[str, list[str]]:
        model = parse(text)
        to_precision(model, precision, [name for name in model.graph.initializers if name.startswith("w")])  # type: ignore[arg-type]
        onnx.checker.check_model(ir.to_proto(model), full_check=True)
        found: dict[str, list[str]] = {}
        for node in model.graph:
            dtype = node.outputs[0].dtype
            assert dtype is not None
            found.setdefault(node.op_type, []).append(dtype.name)
        return found

    return rewrite
