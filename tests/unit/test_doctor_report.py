"""`vidrt doctor` as a whole: JSON and text say the same, it can be posted, and no row takes the others with it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

import vidrt
from vidrt.engine.cli.doctor import lines
from vidrt.engine.doctor import Report, Row, Status, Surroundings, diagnose
from vidrt.engine.doctor.privacy import without_home
from vidrt.engine.doctor.report import Finding, missing, not_applicable, ok, wrong
from vidrt.engine.doctor.rows import ROWS

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCHEMA = json.loads((DOCS / "doctor.schema.json").read_text())
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "null": type(None)}

Run = Callable[..., CompletedProcess[str]]


def faults(value: Any, schema: dict[str, Any], place: str = "$") -> list[str]:
    """What of a value is against a schema, of the part of JSON Schema that ours uses."""
    unknown = set(schema) - {
        *("$schema", "title", "type", "const", "enum", "required", "properties", "additionalProperties", "items")
    }
    assert not unknown, f"not known here: {unknown}"
    if "const" in schema:
        return [] if value == schema["const"] else [f"{place}: {value}"]
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{place}: {value}"]
    names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    if type(value) not in [TYPES[name] for name in names]:
        return [f"{place}: {value!r} is no {names}"]
    found = []
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        found += [f"{place}: {name} is missing" for name in schema.get("required", []) if name not in value]
        for name, inner in value.items():
            if name not in known and others is False:
                found.append(f"{place}: {name} is not in the schema")
            elif name in known or isinstance(others, dict):
                found += faults(inner, known.get(name, others), f"{place}.{name}")
    if isinstance(value, list) and "items" in schema:
        found += [
            fault for index, one in enumerate(value) for fault in faults(one, schema["items"], f"{place}[{index}]")
        ]
    return found


def shown(text: str) -> list[dict[str, Any]]:
    """The rows of the text."""
    rows: list[dict[str, Any]] = []
    for line in text.splitlines():
        start = re.match(r"(ok|missing|wrong|not applicable) {2,}(\w+) {2,}(.*)", line)
        if start is not None:
            status, name, value = start.groups()
            rows.append({"name": name, "status": status, "value": value, "disables": None, "fix": None})
        elif rows and (more := re.match(r" +(disables|fix): (.*)", line)) is not None:
            rows[-1][more[1]] = more[2]
    return rows


def in_json(report: Report) -> list[dict[str, Any]]:
    names = ("name", "status", "value", "disables", "fix")
    checks = [{name: check[name] for name in names} for check in report.to_dict()["checks"]]
    return [check | {"status": check["status"].replace("_", " ")} for check in checks]


def one_of_each() -> list[Row]:
    return [
        Row("here", "nothing", lambda around: ok("1.2 (a file)", version="1.2", sizes=[1, 2])),
        Row("absent", "this and that", lambda around: missing("no such file", "`pip install it`.")),
        Row("broken", "the other", lambda around: wrong("it is\n  broken", "mend it.", version="0.1")),
        Row("elsewhere", "nothing", lambda around: not_applicable("not on this machine")),
    ]


def test_the_json_of_this_machine_is_of_the_schema(run_vidrt: Run) -> None:
    done = run_vidrt("doctor", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert faults(report, SCHEMA) == []
    assert report["vidrt"]["version"] == vidrt.__version__
    assert [check["name"] for check in report["checks"]] == [row.name for row in ROWS]
    statuses = {check["name"]: check["status"] for check in report["checks"]}
    assert {statuses[name] for name in ("instruction_set", "memory", "onnxruntime", "bundle", "cache")} == {"ok"}


def test_the_check_of_the_schema_finds_faults() -> None:
    report = diagnose(rows=one_of_each()).to_dict()
    assert faults(report, SCHEMA) == []
    assert faults(report | {"more": 1}, SCHEMA) == ["$: more is not in the schema"]
    report["checks"][0]["status"] = "fine"
    del report["checks"][1]["fix"]
    assert faults(report, SCHEMA) == ["$.checks[0].status: fine", "$.checks[1]: fix is missing"]


def test_text_and_json_say_the_same() -> None:
    report = diagnose(rows=one_of_each())
    rows = shown("\n".join(lines(report)))
    assert rows == in_json(report)
    assert [row["disables"] for row in rows] == [None, "this and that", "the other", None]
    assert rows[2]["value"] == "it is broken"


def test_text_and_json_of_this_machine_say_the_same() -> None:
    report = diagnose()
    assert shown("\n".join(lines(report))) == in_json(report)
    assert len(report.checks) == len(ROWS)


def test_the_documentation_names_every_row_and_status() -> None:
    text = (DOCS / "doctor.md").read_text()
    for row in ROWS:
        assert f"`{row.name}`" in text, row.name
    for status in Status:
        assert f"`{status.value}`" in text, status


def test_a_row_that_fails_is_a_row_and_not_a_traceback() -> None:
    def fails(around: Surroundings) -> Any:
        raise ZeroDivisionError("by nothing")

    report = diagnose(rows=[Row("bad", "something", fails), *one_of_each()])
    finding = report.checks[0].finding
    assert (finding.status, finding.value) == (Status.WRONG, "looking failed: ZeroDivisionError: by nothing")
    assert len(report.checks) == 5


def test_only_a_required_row_in_trouble_is_a_failure(run_vidrt: Run, tmp_path: Path) -> None:
    assert diagnose(rows=one_of_each()).can_generate
    for look, can in ((ok("here"), True), (missing("x", "y"), False), (wrong("x", "y"), False)):
        assert diagnose(rows=[Row("needed", "all", lambda around, look=look: look, required=True)]).can_generate is can


def test_one_backend_that_has_all_it_needs_is_enough() -> None:
    def report(*found: Finding) -> Report:
        needs = [("one",), ("other",), ("other", "third")]
        looks = [lambda around, finding=finding: finding for finding in found]
        rows = [Row(str(place), "a backend", look, backends=needs[place]) for place, look in enumerate(looks)]
        return diagnose(rows=[*rows, *one_of_each()])

    here, absent, needless = ok("here"), missing("x", "y"), not_applicable("no GPU")
    assert report(here, absent, absent).can_generate
    assert report(absent, here, here).can_generate
    assert not report(absent, here, absent).can_generate
    assert not report(absent, needless, needless).can_generate  # nothing that is needed of a backend is there
    assert {"onnxruntime", "tensorrt", "tensorrt-rtx"} == {backend for row in ROWS for backend in row.backends}


def test_without_onnxruntime_the_exit_code_is_that_of_a_backend(run_vidrt_process: Run, tmp_path: Path) -> None:
    done = run_vidrt_process("doctor", "--json", VIDRT_ONNXRUNTIME=str(tmp_path / "libnone.so"), VIDRT_BUNDLE="nowhere")
    assert done.returncode == 4
    report = json.loads(done.stdout)
    checks = {check["name"]: check for check in report["checks"]}
    assert not report["can_generate"]
    assert checks["onnxruntime"]["status"] == "wrong"
    assert "libnone.so" in checks["onnxruntime"]["value"]
    assert "VIDRT_ONNXRUNTIME" in checks["onnxruntime"]["fix"]
    assert checks["bundle"]["status"] == "wrong"
    assert "VIDRT_BUNDLE" in checks["bundle"]["fix"]


def test_without_a_bundle_all_is_well(run_vidrt: Run) -> None:
    assert run_vidrt("doctor", VIDRT_BUNDLE="nowhere").returncode == 0


def test_an_instruction_set_that_is_not_there_is_wrong(run_vidrt_process: Run) -> None:
    done = run_vidrt_process("doctor", "--json", VIDRT_ISA="sse9")
    (check,) = (one for one in json.loads(done.stdout)["checks"] if one["name"] == "instruction_set")
    assert (done.returncode, check["status"]) == (4, "wrong")
    assert "sse9" in check["value"]
    assert "generic" in check["fix"]


def test_the_instruction_set_in_use_is_the_one_that_was_asked_for(run_vidrt_process: Run) -> None:
    done = run_vidrt_process("doctor", "--json", VIDRT_ISA="generic")
    (check,) = (one for one in json.loads(done.stdout)["checks"] if one["name"] == "instruction_set")
    assert check["details"]["used"] == "generic"
    assert check["details"]["detected"][-1] == "generic"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/ada/models", "~/models"),
        ("no /home/ada/a and /home/ada.", "no ~/a and ~."),
        ("/home/ada2/models /data/home/ada/x", "/home/ada2/models /data/home/ada/x"),
        ("LD_LIBRARY_PATH=/opt/lib:/home/ada/lib", "LD_LIBRARY_PATH=/opt/lib:~/lib"),
    ],
)
def test_the_home_folder_is_not_shown(text: str, expected: str) -> None:
    assert without_home(Path("/home/ada"))({"a": [text, 1]}) == {"a": [expected, 1]}


def test_the_report_has_neither_home_nor_variables_that_are_not_vidrts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("VIDRT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("VIDRT_TOKEN", "secret-of-mine")
    monkeypatch.setenv("HF_TOKEN", "secret-of-mine")
    report = diagnose()
    text = json.dumps(report.to_dict()) + "\n".join(lines(report))
    assert str(tmp_path) not in text
    assert "secret-of-mine" not in text
    assert report.facts["environment"]["VIDRT_CACHE_DIR"] == "~/cache"
