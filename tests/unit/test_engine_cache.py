"""The engine cache: what is in it is whole, fits, and is told apart; nothing here needs TensorRT."""

import dataclasses
import multiprocessing
import os
import platform
import time

import pytest

from vidrt import _core
from vidrt.engine.builder.cache import Broken, EngineCache, default_folder, engine_stem
from vidrt.engine.builder.find import find_engine
from vidrt.engine.builder.profile import TensorProfile
from vidrt.engine.builder.prune import removable, remove
from vidrt.engine.builder.sidecar import Engine, Outcome, Sidecar, Source, Target
from vidrt.engine.builder.targets import PORTABLE
from vidrt.engine.bundle import Bundle
from vidrt.engine.errors import BackendError, Cancelled
from vidrt.engine.file_lock import locked

PLAN = b"a plan of some length"


@pytest.fixture
def cache(tmp_path):
    return EngineCache(tmp_path / "engines")


@pytest.fixture
def sidecar(pocket_bundle):
    """What would be known of an engine of the shipped denoiser."""
    bundle = Bundle(pocket_bundle)
    variant = bundle.modules["denoiser"].variants[-1]
    files = {name: bundle.manifest.data_files[name].sha256 for name in variant.data_files}
    return Sidecar(
        Source("pocket", str(pocket_bundle), "denoiser", variant.id, "fp32", variant.sha256, files, 100),
        Target(
            "tensorrt-rtx", "1.7.1", ("8.9",), platform.machine(), {"height": "32:64:96", "width": "64"},
            {"latents": TensorProfile((1, 8), (2, 8), (2, 8))}, {"refit": False}, {},
        ),
        Outcome("", 0, "", 1, 2, 3, (), (), 0.5, "2026-01-02T03:04:05+00:00", "0.1.0"),
    )  # fmt: skip


def put(cache, sidecar, plan=PLAN):
    stem = engine_stem(sidecar.source, sidecar.target)
    with cache.lock(stem, None) as held:
        assert held
        return cache.store(stem, memoryview(plan), sidecar, "the log")


def names(cache):
    return sorted(path.name for path in cache.folder.iterdir())


def find(cache, pocket_bundle, **wanted):
    bundle = Bundle(pocket_bundle)
    asked = {"version": "1.7.1", "compute_capability": "8.9", "sizes": {"height": 64}, **wanted}
    return find_engine(cache, bundle, bundle.modules["denoiser"], "tensorrt-rtx", **asked)


def test_what_was_stored_is_read_back(cache, sidecar):
    engine = put(cache, sidecar)
    stem = engine_stem(sidecar.source, sidecar.target)
    found = cache.load(stem)
    assert found == engine
    assert found.plan.read_bytes() == PLAN
    assert found.log.read_text() == "the log"
    assert found.sidecar.outcome.bytes == len(PLAN)
    assert names(cache) == sorted(path.name for path in (engine.path, engine.plan, engine.log))
    assert cache.entries() == [engine]


def test_a_new_engine_takes_the_place_of_the_old_one(cache, sidecar):
    old = put(cache, sidecar)
    new = put(cache, sidecar, b"another plan")
    assert not old.plan.exists()
    assert cache.entries() == [new]
    assert len(names(cache)) == 3


def test_the_cache_is_in_vidrts_own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("VIDRT_CACHE_DIR", str(tmp_path))
    assert default_folder() == tmp_path / "engines"
    monkeypatch.delenv("VIDRT_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_folder() == tmp_path / "xdg" / "vidrt" / "engines"


@pytest.mark.parametrize(
    "change",
    [
        {"source": {"graph_sha256": "0" * 64}},
        {"source": {"data_files": {"weights/x.safetensors": "1" * 64}}},
        {"source": {"precision": "fp16"}},
        {"target": {"backend": "tensorrt"}},
        {"target": {"version": "1.7.2"}},
        {"target": {"compute_capabilities": ("12.0",)}},
        {"target": {"machine": "riscv64"}},
        {"target": {"profile": {"latents": TensorProfile((1, 8), (2, 8), (4, 8))}}},
        {"target": {"options": {"refit": True}}},
        {"target": {"plugins": {"libx.so": "2" * 64}}},
    ],
)
def test_what_makes_another_engine_makes_another_name(sidecar, change):
    source = dataclasses.replace(sidecar.source, **change.get("source", {}))
    target = dataclasses.replace(sidecar.target, **change.get("target", {}))
    assert engine_stem(source, target) != engine_stem(sidecar.source, sidecar.target)


def test_the_place_of_the_bundle_does_not_make_another_engine(sidecar):
    moved = dataclasses.replace(sidecar.source, path="/elsewhere")
    assert engine_stem(moved, sidecar.target) == engine_stem(sidecar.source, sidecar.target)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda plan: plan.write_bytes(PLAN[:-1]), "has 20 bytes, expected 21"),
        (lambda plan: plan.write_bytes(b"b" + PLAN[1:]), "SHA-256 differs"),
        (lambda plan: plan.unlink(), "cannot be read"),
    ],
)
def test_a_damaged_plan_is_never_used(cache, sidecar, pocket_bundle, damage, message):
    engine = put(cache, sidecar)
    damage(engine.plan)
    with pytest.raises(BackendError, match=message):
        cache.load(engine_stem(sidecar.source, sidecar.target))
    with pytest.raises(BackendError, match=message):
        find(cache, pocket_bundle)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:100],
        lambda text: "[]",
        lambda text: text.replace('"schema_version": 1', '"schema_version": 2'),
        lambda text: text.replace('"32:64:96"', '"96:64:32"'),
        lambda text: text.replace('"plan": "', '"plan": "../'),
        lambda text: text.replace('"module"', '"modul"'),
    ],
)
def test_a_damaged_sidecar_is_told_and_never_used(cache, sidecar, pocket_bundle, change):
    engine = put(cache, sidecar)
    engine.path.write_text(change(engine.path.read_text()))
    (entry,) = cache.entries()
    assert isinstance(entry, Broken)
    with pytest.raises(BackendError, match="cannot be read"):
        cache.load(engine_stem(sidecar.source, sidecar.target))
    with pytest.raises(BackendError, match=f"{engine.path.name}: the sidecar cannot be read"):
        find(cache, pocket_bundle)


def test_a_sidecar_of_another_engine_than_its_name_says_is_damaged(cache, sidecar):
    engine = put(cache, sidecar)
    engine.path.write_text(engine.path.read_text().replace('"version": "1.7.1"', '"version": "1.8.0"'))
    with pytest.raises(BackendError, match="is not of the engine that it is named for"):
        cache.load(engine_stem(sidecar.source, sidecar.target))


def test_an_engine_that_fits_is_found(cache, sidecar, pocket_bundle):
    engine = put(cache, sidecar)
    assert find(cache, pocket_bundle) == engine
    assert find(cache, pocket_bundle, version=None, compute_capability=None) == engine


def test_of_several_that_fit_the_newest_is_taken(cache, sidecar, pocket_bundle):
    put(cache, sidecar)
    target = dataclasses.replace(sidecar.target, options={"refit": True})
    outcome = dataclasses.replace(sidecar.outcome, built="2026-02-02T03:04:05+00:00")
    newer = put(cache, Sidecar(sidecar.source, target, outcome))
    assert find(cache, pocket_bundle) == newer


@pytest.mark.parametrize(
    ("wanted", "changed", "message"),
    [
        ({"version": "1.8.0"}, {}, "built by version 1.7.1, installed is 1.8.0"),
        ({"compute_capability": "8.7"}, {}, "built for compute capability 8.9, the device has 8.7"),
        ({"sizes": {"height": 128, "width": 64}}, {}, "height is 32 to 96, asked for 128"),
        ({"sizes": {"height": 64, "width": 96}}, {}, "width is 64 to 64, asked for 96"),
        ({}, {"graph_sha256": "0" * 64}, "built from graph 000000000000, the bundle has"),
        ({}, {"data_files": {}}, "built with other weights"),
        ({}, {"variant": "bf16"}, "has no variant bf16 of denoiser any more"),
        ({}, {"bundle": "wan"}, "none was built"),
    ],
)
def test_an_engine_that_does_not_fit_is_refused_with_what_differs(
    cache, sidecar, pocket_bundle, wanted, changed, message
):
    put(cache, dataclasses.replace(sidecar, source=dataclasses.replace(sidecar.source, **changed)))
    with pytest.raises(BackendError, match=message) as caught:
        find(cache, pocket_bundle, **wanted)
    assert "vidrt build" in str(caught.value)


@pytest.mark.parametrize(
    ("targets", "capability", "runs"),
    [
        (PORTABLE, "8.6", True),
        (PORTABLE, "12.0", True),
        (PORTABLE, "12.1", True),
        (PORTABLE, "8.7", False),  # Jetson Orin
        (PORTABLE, "9.0", False),
        (PORTABLE, "7.5", False),
        (("8.9",), "8.9", True),
        (("8.9",), "12.0", False),
        (("8.0+",), "8.7", True),  # hardware compatibility "ampere_plus"
        (("8.0+",), "7.5", False),
    ],
)
def test_an_engine_runs_on_what_it_was_built_for(cache, sidecar, pocket_bundle, targets, capability, runs):
    engine = put(
        cache, dataclasses.replace(sidecar, target=dataclasses.replace(sidecar.target, compute_capabilities=targets))
    )
    if runs:
        assert find(cache, pocket_bundle, compute_capability=capability) == engine
    else:
        with pytest.raises(BackendError, match=f"the device has {capability}"):
            find(cache, pocket_bundle, compute_capability=capability)


def test_an_engine_of_another_processor_is_refused(cache, sidecar, pocket_bundle):
    put(cache, dataclasses.replace(sidecar, target=dataclasses.replace(sidecar.target, machine="riscv64")))
    with pytest.raises(BackendError, match=f"built for riscv64, this machine is {platform.machine()}"):
        find(cache, pocket_bundle, compute_capability=None)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("1.7.1", "1.7.1.116", True),  # a Jetson's bindings say three numbers
        ("1.7.1.116", "1.7.1.116", True),
        ("1.7.1.116", "1.7.1.29", False),
        ("1.7.10", "1.7.1", False),
        ("1.7.1b2", "1.7.1", True),
        ("1.7", "1.7.1", False),
    ],
)
def test_versions_are_one_where_both_say_the_same(cache, sidecar, a, b, same):
    assert _core.same_version(a, b) is _core.same_version(b, a) is same
    target = dataclasses.replace(sidecar.target, version=a)
    put(cache, dataclasses.replace(sidecar, target=target))
    assert (removable(cache, versions={"tensorrt-rtx": b}) == []) is same


def test_a_version_compatible_engine_fits_another_version(cache, sidecar, pocket_bundle):
    target = dataclasses.replace(sidecar.target, options={"version_compatible": True})
    engine = put(cache, dataclasses.replace(sidecar, target=target))
    assert find(cache, pocket_bundle, version="1.8.0") == engine


def test_a_full_disk_keeps_the_old_engine(cache, sidecar, run_python, pocket_bundle):
    engine = put(cache, sidecar)
    code = """
import resource, sys, pathlib
from vidrt.engine.builder.cache import EngineCache
cache = EngineCache(pathlib.Path(sys.argv[1]))
(engine,) = cache.entries()
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
stem = engine.path.name.removesuffix(".json")
for plan in (b"x" * 2000, b"x" * 500):  # the plan does not fit; the plan does, but the sidecar does not
    try:
        cache.store(stem, memoryview(plan), engine.sidecar, "log" if len(plan) > 1000 else "log" * 1000)
    except OSError as error:
        print(error)
"""
    result = run_python(code, str(cache.folder))
    assert result.stdout.count("cannot write") == 2, result.stderr
    assert "File too large" in result.stdout
    assert cache.load(engine_stem(sidecar.source, sidecar.target)) == engine
    assert len(names(cache)) == 3


def hold(path, seconds, ready):
    with locked(path, lambda: None):
        ready.set()
        time.sleep(seconds)


def test_the_lock_is_waited_for_and_leaves_no_file(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=hold, args=(tmp_path / "one.lock", 0.5, ready))
    holder.start()
    assert ready.wait(30)
    waits = []
    with locked(tmp_path / "one.lock", None) as held:
        assert not held
    with locked(tmp_path / "one.lock", lambda: waits.append(time.monotonic())) as held:
        assert held
        assert waits
    holder.join()
    assert list(tmp_path.iterdir()) == []


def test_a_wait_for_the_lock_can_be_given_up(tmp_path):
    def give_up():
        raise Cancelled("no")

    with locked(tmp_path / "one.lock", None), pytest.raises(Cancelled), locked(tmp_path / "one.lock", give_up):
        pass
    assert list(tmp_path.iterdir()) == []


def prune(cache, **options):
    removed = remove(cache, removable(cache, **{"versions": {"tensorrt-rtx": "1.7.1"}, **options}))
    return [removal.reason for removal in removed]


def test_a_useful_engine_is_not_removed(cache, sidecar):
    put(cache, sidecar)
    assert prune(cache) == []
    assert prune(cache, versions={}) == []
    assert prune(cache, older_than_days=1e6) == []
    assert len(names(cache)) == 3


@pytest.mark.parametrize(
    ("options", "change", "reason"),
    [
        ({"versions": {"tensorrt-rtx": "1.8.0"}}, {}, "built by version 1.7.1, installed is 1.8.0"),
        ({"everything": True}, {}, "all are removed"),
        ({"older_than_days": 1}, {}, "built "),
        ({}, {"graph_sha256": "0" * 64}, "built from graph 0000"),
    ],
)
def test_engines_of_no_more_use_are_removed_with_all_their_files(cache, sidecar, options, change, reason):
    put(cache, dataclasses.replace(sidecar, source=dataclasses.replace(sidecar.source, **change)))
    (why,) = prune(cache, **options)
    assert why.startswith(reason)
    assert names(cache) == []


def test_an_engine_of_a_bundle_that_is_away_stays(cache, sidecar):
    away = dataclasses.replace(sidecar.source, path="/nowhere/pocket", graph_sha256="0" * 64)
    put(cache, dataclasses.replace(sidecar, source=away))
    assert prune(cache) == []


def test_what_interrupted_and_failed_builds_left_is_removed(cache, sidecar):
    engine = put(cache, sidecar)
    stem = engine_stem(sidecar.source, sidecar.target)
    for name in (f".{stem}.01234567.89abcdef.plan", f"{stem}.76543210.plan", "vae.fp32.tensorrt.0123.failed.log"):
        (cache.folder / name).touch()
    (cache.folder / "notes.txt").touch()
    assert sorted(prune(cache)) == ["an interrupted process left it", "its build failed"]
    assert set(names(cache)) == {engine.path.name, engine.plan.name, engine.log.name, "notes.txt"}


def test_a_damaged_engine_is_removed(cache, sidecar):
    put(cache, sidecar).plan.write_bytes(b"")
    assert prune(cache) == ["its plan is missing or damaged"]
    put(cache, sidecar).path.write_text("{")
    assert prune(cache) == ["its sidecar is missing or damaged"]
    assert names(cache) == []


def test_an_engine_that_is_being_built_is_left_alone(cache, sidecar):
    engine = put(cache, sidecar)
    with cache.lock(engine_stem(sidecar.source, sidecar.target), None):
        assert prune(cache, everything=True) == []
    assert isinstance(cache.entries()[0], Engine)
    assert engine.plan.exists()
    assert os.listdir(cache.folder)  # noqa: PTH208
