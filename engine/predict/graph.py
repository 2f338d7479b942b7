"""A graph at concrete sizes: every node with the shapes of what it takes and gives. No weight is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidrt.engine.errors import BackendError, BundleError
from vidrt.engine.packages import package_folders
from vidrt.engine.predict.custom_shapes import CUSTOM_SHAPES
from vidrt.engine.predict.tensors import ITEM_BYTES, Tensor

if TYPE_CHECKING:
    import onnx

_MAX_VALUE = 1 << 16
"""Elements of a tensor whose values are followed: shapes, axes, positions; weights are larger and not needed."""


@dataclass(frozen=True)
class Node:
    """One operator of a graph.

    Attributes:
        op: As "Conv" or "vidrt::DepthwiseConv3d".
        attributes: By name, as Python values.
        inputs: Names; empty for one that is left out.
        outputs: Likewise.
    """

    op: str
    attributes: Mapping[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class SizedGraph:
    """A graph whose sizes are all known.

    Attributes:
        nodes: In the order in which they run; what is computed when the module is loaded is left out.
        tensors: By name.
        outputs: Names of the graph's own.
    """

    nodes: tuple[Node, ...]
    tensors: Mapping[str, Tensor]
    outputs: tuple[str, ...]


def check_onnx() -> None:
    """Raise BackendError where the package that reads graphs is missing."""
    if not package_folders("onnx"):
        raise BackendError(
            "predictions read the bundle's graphs with the package onnx, which is not installed. "
            "pip install 'vidrt[predict]', or pip install onnx."
        )


def sized_graph(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> SizedGraph:
    """Read a graph, without its weights, and follow the shapes through it.

    Args:
        path: The ONNX file.
        shapes: Of its inputs, by name.

    Raises:
        BackendError: onnx is not installed.
        BundleError: It is no graph, takes an input that `shapes` has not, or the shape of a node's output does not
            follow from those of its inputs; the message names the node.
    """
    check_onnx()
    import onnx

    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's own among them
        raise BundleError(f"cannot read the graph {path}: {error}. Export the bundle again.") from error
    return _Walk(path, model).run(shapes)


class _Walk:
    """Node by node, ONNX's own inference for its operators and custom_shapes.py for the others."""

    def __init__(self, path: Path, model: onnx.ModelProto) -> None:
        import onnx

        self._onnx = onnx
        self._path = path
        self._model = model
        self._opsets = {entry.domain: entry.version for entry in model.opset_import}
        self._tensors: dict[str, Tensor] = {"": Tensor((), "float32", constant=True)}
        self._values: dict[str, np.ndarray[Any, Any]] = {}

    def run(self, shapes: Mapping[str, tuple[int, ...]]) -> SizedGraph:
        graph = self._model.graph
        for weight in graph.initializer:
            self._add_weight(weight)
        for entry in graph.input:
            if entry.name in self._tensors:  # an initializer that old files repeat as an input
                continue
            if entry.name not in shapes:
                raise BundleError(f"{self._path} takes an input {entry.name!r}, for which there is no size.")
            self._tensors[entry.name] = Tensor(shapes[entry.name], self._dtype(entry.type.tensor_type.elem_type))
        nodes = []
        for proto in graph.node:
            node = self._node(proto)
            self._infer(proto, node)
            if not all(self._tensors[name].constant for name in node.outputs if name):
                nodes.append(node)
        return SizedGraph(tuple(nodes), self._tensors, tuple(entry.name for entry in graph.output))

    def _add_weight(self, weight: onnx.TensorProto) -> None:
        tensor = Tensor(tuple(weight.dims), self._dtype(weight.data_type), constant=True)
        self._tensors[weight.name] = tensor
        if weight.data_location != self._onnx.TensorProto.EXTERNAL and tensor.elements <= _MAX_VALUE:
            self._values[weight.name] = self._onnx.numpy_helper.to_array(weight)

    def _node(self, proto: onnx.NodeProto) -> Node:
        attributes = {entry.name: self._attribute(entry) for entry in proto.attribute}
        if any(isinstance(value, self._onnx.GraphProto) for value in attributes.values()):
            raise BundleError(
                f"{self._path}: {proto.op_type} {proto.name!r} has a graph inside, whose cost depends on what it is "
                "given. Export the model without control flow."
            )
        op = f"{proto.domain}::{proto.op_type}" if proto.domain not in ("", "ai.onnx") else proto.op_type
        return Node(op, attributes, tuple(proto.input), tuple(proto.output))

    def _attribute(self, entry: onnx.AttributeProto) -> Any:
        value = self._onnx.helper.get_attribute_value(entry)
        return value.decode() if isinstance(value, bytes) else value

    def _infer(self, proto: onnx.NodeProto, node: Node) -> None:
        missing = [name for name in node.inputs if name not in self._tensors]
        if missing:
            title = f"{self._path}: {node.op} {proto.name!r}"
            raise BundleError(f"{title} takes {missing[0]!r}, which nothing before it gives. Export the bundle again.")
        inputs = [self._tensors[name] for name in node.inputs]
        if node.op in ("Shape", "Size"):
            self._keep(node.outputs[0], self._size_of(node, inputs[0]))
            return
        outputs = self._custom(proto, node, inputs) if node.op in CUSTOM_SHAPES else self._inferred(proto, node)
        constant = all(tensor.constant for tensor in inputs)
        for name in filter(None, node.outputs):
            if name not in outputs:
                raise self._unknown(proto, node)
            self._tensors[name] = replace(outputs[name], constant=constant)
        known = node.op not in CUSTOM_SHAPES and all(name in self._values or not name for name in node.inputs)
        if known and all(self._tensors[name].elements <= _MAX_VALUE for name in node.outputs):
            self._evaluate(proto, node)

    def _custom(self, proto: onnx.NodeProto, node: Node, inputs: list[Tensor]) -> dict[str, Tensor]:
        try:
            return dict(zip(node.outputs, CUSTOM_SHAPES[node.op](node.attributes, inputs), strict=False))
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # not the inputs that it has to have
            raise self._unknown(proto, node) from error

    @staticmethod
    def _size_of(node: Node, tensor: Tensor) -> np.ndarray[Any, Any]:
        if node.op == "Size":
            return np.array(tensor.elements, np.int64)
        return np.array(tensor.shape[node.attributes.get("start", 0) : node.attributes.get("end")], np.int64)

    def _keep(self, name: str, value: np.ndarray[Any, Any]) -> None:
        self._values[name] = value
        self._tensors[name] = Tensor(value.shape, value.dtype.name, constant=True)

    def _evaluate(self, proto: onnx.NodeProto, node: Node) -> None:
        from onnx.reference import ReferenceEvaluator

        helper = self._onnx.helper
        names = list(dict.fromkeys(filter(None, node.inputs)))
        types = {name: helper.np_dtype_to_tensor_dtype(self._values[name].dtype) for name in names}
        graph = helper.make_graph(
            [proto],
            "one",
            [helper.make_tensor_value_info(name, kind, None) for name, kind in types.items()],
            [helper.make_empty_tensor_value_info(name) for name in node.outputs if name],
        )
        model = helper.make_model(graph, opset_imports=self._model.opset_import)
        try:
            results = ReferenceEvaluator(model).run(None, {name: self._values[name] for name in names})
        except Exception as error:  # whatever a hostile constant makes the reference raise
            raise BundleError(f"{self._path}: {node.op} {proto.name!r} cannot be computed: {error}.") from error
        for name, value in zip(filter(None, node.outputs), results, strict=True):
            self._keep(name, np.asarray(value))

    def _inferred(self, proto: onnx.NodeProto, node: Node) -> dict[str, Tensor]:
        helper, inference = self._onnx.helper, self._onnx.shape_inference
        types = {
            name: helper.make_tensor_type_proto(self._elem_type(self._tensors[name].dtype), self._tensors[name].shape)
            for name in node.inputs
            if name
        }
        values = {
            name: self._onnx.numpy_helper.from_array(self._values[name], name)
            for name in node.inputs
            if name in self._values
        }
        try:
            schema = self._onnx.defs.get_schema(proto.op_type, self._opsets.get(proto.domain, 1), proto.domain)
            found = inference.infer_node_outputs(
                schema,
                proto,
                types,
                values,
                opset_imports=list(self._model.opset_import),
                ir_version=self._model.ir_version,
            )
        except (self._onnx.defs.SchemaError, inference.InferenceError, RuntimeError) as error:
            raise self._unknown(proto, node) from error
        outputs = {}
        for name, kind in found.items():
            dimensions = kind.tensor_type.shape.dim
            if kind.HasField("tensor_type") and kind.tensor_type.HasField("shape"):
                if not all(entry.HasField("dim_value") for entry in dimensions):
                    raise self._unknown(proto, node)
                shape = tuple(entry.dim_value for entry in dimensions)
                outputs[name] = Tensor(shape, self._dtype(kind.tensor_type.elem_type))
        return outputs

    def _unknown(self, proto: onnx.NodeProto, node: Node) -> BundleError:
        shapes = ", ".join(str(self._tensors[name].shape) for name in node.inputs if name)
        return BundleError(
            f"{self._path}: the shape of what {node.op} {proto.name!r} gives does not follow from its inputs "
            f"({shapes}), so its cost cannot be predicted. Export the model without it."
        )

    def _dtype(self, elem_type: int) -> str:
        name: str = self._onnx.TensorProto.DataType.Name(elem_type).lower()
        name = {"float": "float32", "double": "float64"}.get(name, name)
        if name not in ITEM_BYTES:
            raise BundleError(f"{self._path} has tensors of type {name}, whose size is not known here.")
        return name

    def _elem_type(self, dtype: str) -> int:
        name = {"float32": "float", "float64": "double"}.get(dtype, dtype)
        value: int = self._onnx.TensorProto.DataType.Value(name.upper())
        return value
