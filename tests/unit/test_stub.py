"""The stub of the compiled module names what the module has, no more and no less."""

import ast
from pathlib import Path

import vidrt
from vidrt import _core

STUB = ast.parse((Path(vidrt.__file__).parent / "_core.pyi").read_text())


def declared(body):
    names = set()
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            names.add(node.target.id)
    return names


def public(names):
    return {name for name in names if not name.startswith("_")}


def test_the_stub_names_what_the_module_has():
    assert public(declared(STUB.body)) == public(vars(_core))


def test_the_stub_names_what_each_class_has():
    for node in STUB.body:
        if isinstance(node, ast.ClassDef):
            assert public(declared(node.body)) == public(vars(getattr(_core, node.name))), node.name


def test_what_the_stub_calls_final_cannot_be_set():
    for node in STUB.body:
        if isinstance(node, ast.ClassDef):
            for item in node.body:
                if isinstance(item, ast.AnnAssign) and "Final" in ast.unparse(item.annotation):
                    assert vars(getattr(_core, node.name))[item.target.id].fset is None, (node.name, item.target.id)
