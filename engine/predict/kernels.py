"""A graph as the kernels that would run it: nodes that an engine fuses are one, and move what enters and leaves it.

The rules are those of every engine that is looked at here, not of one: what is done to single numbers joins the node
that makes them, where nothing else wants these; a change of shape alone costs nothing; attention is one kernel where
the engine has it. Real engines fuse more in places (normalisations) and less in others.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from vidrt.engine.predict.arithmetic import Operations, operations
from vidrt.engine.predict.graph import Node, SizedGraph
from vidrt.engine.predict.tensors import ITEM_BYTES

_VIEWS = {"Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Expand"}
"""They copy nothing: an engine reads the same bytes in another shape. Expand is the reader's index arithmetic."""

_POINTWISE = {
    "Abs", "Add", "And", "Cast", "Ceil", "Clip", "Cos", "Div", "Elu", "Equal", "Erf", "Exp", "Floor", "Gelu", "Greater",
    "GreaterOrEqual", "HardSigmoid", "HardSwish", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max", "Min", "Mish",
    "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "Reciprocal", "Relu", "Sigmoid", "Sin", "Softplus", "Sqrt", "Sub",
    "Tanh", "Where",
}  # fmt: skip

_REDUCTIONS = {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceL2"}
"""They join what makes the numbers that they read."""

_MOVERS = {
    "ArgMax", "AveragePool", "BatchNormalization", "Concat", "ConstantOfShape", "CumSum", "DepthToSpace",
    "DequantizeLinear", "Gather", "GatherElements", "GatherND", "GlobalAveragePool", "GroupNormalization",
    "InstanceNormalization", "LayerNormalization", "LpNormalization", "MaxPool", "Pad", "QuantizeLinear",
    "RMSNormalization", "Range", "Resize", "ScatterElements", "ScatterND", "Slice", "Softmax", "SpaceToDepth", "Split",
    "Tile", "Transpose", "Trilu", "com.microsoft::RotaryEmbedding",
}  # fmt: skip
"""Other operators whose bytes decide what they take."""

_SPARSE_READERS = {"Gather", "GatherND", "GatherElements", "Slice", "Split"}
"""They read of their first input what they give, not all of it."""

_WIDEST_HEAD = 256
"""Of attention that TensorRT makes one kernel of: 64, 128 and 256 it did, 384 not."""

_PRECISIONS = {"float32": "fp32", "float64": "fp32", "float16": "fp16", "bfloat16": "bf16"}


@dataclass(frozen=True)
class Kernel:
    """One launch.

    Attributes:
        op: The operator that decides its kind.
        precision: What its arithmetic is in: fp32, fp16 or bf16.
        operations: Its arithmetic.
        bytes: What it reads from memory and writes to it, weights included.
    """

    op: str
    precision: str
    operations: Operations
    bytes: int


@dataclass(frozen=True)
class GraphCost:
    """What one run of a graph takes.

    Attributes:
        kernels: In order.
        working_bytes: The most that tensors between kernels take together, run in the graph's order.
        uncounted: Operators that are not known here, with their number: of these only the bytes were counted.
    """

    kernels: tuple[Kernel, ...]
    working_bytes: int
    uncounted: Counter[str]

    @property
    def flops(self) -> int:
        """Operations of all kernels."""
        return sum(kernel.operations.matrix + kernel.operations.vector for kernel in self.kernels)

    @property
    def bytes(self) -> int:
        """Bytes that all kernels move."""
        return sum(kernel.bytes for kernel in self.kernels)


def graph_cost(graph: SizedGraph, *, fused_attention: bool) -> GraphCost:
    """Cut a graph into kernels.

    Args:
        graph: With its sizes.
        fused_attention: Products, softmax and products in half precision are one kernel that holds no scores.
    """
    work = _Work(graph)
    groups = _Grouping(work, fused_attention=fused_attention).groups()
    use = _Use(work, groups)
    kernels = tuple(_kernel(graph, [work.nodes[place] for place in group], use.moved(group)) for group in groups)
    known = _POINTWISE | _REDUCTIONS | _MOVERS
    uncounted = Counter(node.op for node in work.nodes if node.op not in known and _counted(graph, node) is None)
    return GraphCost(kernels, use.most_held(), uncounted)


def _counted(graph: SizedGraph, node: Node) -> Operations | None:
    return operations(node, [graph.tensors[name] for name in node.inputs], graph.tensors[node.outputs[0]])


def _kernel(graph: SizedGraph, nodes: list[Node], moved: int) -> Kernel:
    done = [_counted(graph, node) or Operations() for node in nodes]
    # Its name is that of the node with the most arithmetic, of the first where none has any.
    leader = nodes[max(range(len(nodes)), key=lambda place: (done[place].matrix + done[place].vector, -place))]
    kinds = [graph.tensors[name].dtype for name in (*leader.inputs, *leader.outputs) if name]
    precision = next((_PRECISIONS[kind] for kind in kinds if kind in _PRECISIONS), "fp32")
    total = Operations(sum(one.matrix for one in done), sum(one.vector for one in done))
    return Kernel(leader.op, precision, total, moved)


class _Work:
    """A graph's nodes without views and casts that widen: every name is that of the memory it means."""

    def __init__(self, graph: SizedGraph) -> None:
        self._sources: dict[str, str] = {}
        self.tensors = graph.tensors
        self.nodes: list[Node] = []
        self.inputs: list[tuple[str, ...]] = []
        for node in graph.nodes:
            names = tuple(self._sources.get(name, name) for name in node.inputs)
            if node.op in _VIEWS or self._widens(node):
                self._sources[node.outputs[0]] = names[0]
            else:
                self.nodes.append(node)
                self.inputs.append(names)
        self.outputs = {self._sources.get(name, name) for name in graph.outputs}
        self.maker = {name: place for place, node in enumerate(self.nodes) for name in node.outputs if name}
        self.readers: dict[str, list[int]] = {}
        for place, names in enumerate(self.inputs):
            for name in dict.fromkeys(filter(None, names)):
                self.readers.setdefault(name, []).append(place)

    def _widens(self, node: Node) -> bool:
        """A cast that whoever reads it does for itself: what lies in memory is the narrower."""
        if node.op != "Cast":
            return False
        given, made = (self.tensors[name].dtype for name in (node.inputs[0], node.outputs[0]))
        return {given, made} <= _PRECISIONS.keys() and ITEM_BYTES[given] <= ITEM_BYTES[made]

    def made_for_one(self, name: str) -> bool:
        """Whether a node makes it and a single one reads it."""
        return name in self.maker and len(self.readers.get(name, ())) == 1 and name not in self.outputs


class _Grouping:
    """Which nodes are one kernel."""

    def __init__(self, work: _Work, *, fused_attention: bool) -> None:
        self._work = work
        self._group = list(range(len(work.nodes)))
        self._fused_attention = fused_attention

    def groups(self) -> list[list[int]]:
        """Places of nodes, in the order of the groups' last: then all is made that a group reads."""
        for place, node in enumerate(self._work.nodes):
            if node.op in _POINTWISE | _REDUCTIONS:
                self._join_maker(place)
            elif node.op == "Softmax" and self._fused_attention:
                self._join_attention(place)
        members: dict[int, list[int]] = {}
        for place in range(len(self._work.nodes)):
            members.setdefault(self._find(place), []).append(place)
        return sorted(members.values(), key=lambda group: group[-1])

    def _find(self, place: int) -> int:
        while self._group[place] != place:
            place = self._group[place]
        return place

    def _union(self, one: int, other: int) -> None:
        first, last = sorted((self._find(one), self._find(other)))
        self._group[last] = first

    def _join_maker(self, place: int) -> None:
        """Join the latest node that makes as many numbers as this one handles, for it alone."""
        tensors, names = self._work.tensors, self._work.inputs[place]
        size = max(tensors[name].elements for name in (*names, self._work.nodes[place].outputs[0]))
        makers = [
            self._work.maker[name] for name in names if self._work.made_for_one(name) and tensors[name].elements == size
        ]
        if makers:
            self._union(max(makers), place)

    def _join_attention(self, softmax: int) -> None:
        """Join a softmax with the products around it and what is between them, where an engine has a kernel for it."""
        before, after = self._product_before(softmax), self._product_after(softmax)
        kinds = {self._work.tensors[self._work.nodes[path[-1]].outputs[0]].dtype for path in (before, after) if path}
        if before and after and kinds <= {"float16", "bfloat16"} and self._head(before[-1]) <= _WIDEST_HEAD:
            for place in (*before, *after):
                self._union(softmax, place)

    def _head(self, product: int) -> int:
        return self._work.tensors[self._work.nodes[product].inputs[0]].shape[-1]

    def _product_before(self, place: int) -> list[int]:
        """The way back from a softmax to the product that makes its scores, which masks are added to; [] for none."""
        path: list[int] = []
        while not path or self._work.nodes[place].op != "MatMul":
            names = [name for name in self._work.inputs[place] if self._work.made_for_one(name)]
            if not names or (path and self._work.nodes[place].op not in _POINTWISE):
                return []
            place = self._work.maker[max(names, key=lambda name: self._work.tensors[name].elements)]
            path.append(place)
        return path

    def _product_after(self, place: int) -> list[int]:
        path: list[int] = []
        while not path or self._work.nodes[place].op != "MatMul":
            name = self._work.nodes[place].outputs[0]
            if not self._work.made_for_one(name) or (path and self._work.nodes[place].op not in _POINTWISE):
                return []
            place = self._work.readers[name][0]
            path.append(place)
        return path


class _Use:
    """What kernels read and write, and how long it is needed."""

    def __init__(self, work: _Work, groups: list[list[int]]) -> None:
        self._work = work
        self._groups = groups
        self._of = {place: index for index, group in enumerate(groups) for place in group}
        self._last = {name: max(self._of[place] for place in places) for name, places in work.readers.items()}

    def moved(self, group: list[int]) -> int:
        """Bytes that a group reads and writes."""
        inside = {name for place in group for name in self._work.nodes[place].outputs}
        read: dict[str, int] = {}
        for place in group:
            for position, name in enumerate(self._work.inputs[place]):
                if name and name not in inside:
                    read[name] = max(read.get(name, 0), self._read(place, position))
        return sum(read.values()) + sum(self._work.tensors[name].bytes for name in self._written(group))

    def most_held(self) -> int:
        """The most bytes between groups, each tensor from the group that makes it to the last that reads it."""
        held = most = 0
        leaving: Counter[int] = Counter()
        for index, group in enumerate(self._groups):
            for name in self._written(group) - self._work.outputs:
                size = self._work.tensors[name].bytes
                held += size
                leaving[self._last[name]] += size
            most = max(most, held)
            held -= leaving[index]
        return most

    def _written(self, group: list[int]) -> set[str]:
        """What leaves a group: read by another, or given by the graph."""
        own = set(group)
        return {
            name
            for place in group
            for name in self._work.nodes[place].outputs
            if name in self._work.outputs or not own.issuperset(self._work.readers.get(name, ()))
        }

    def _read(self, place: int, position: int) -> int:
        node, tensors = self._work.nodes[place], self._work.tensors
        size = tensors[self._work.inputs[place][position]].bytes
        if node.op in _SPARSE_READERS and position == 0:
            return min(size, sum(tensors[name].bytes for name in node.outputs if name))
        return size
