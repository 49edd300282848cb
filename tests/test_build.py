"""The wheel that a build makes: with machine code for its machine; where that cannot be made without, saying so."""

import json
import sys
import zipfile
from pathlib import Path

import pytest

wheel = pytest.importorskip("hatchling.builders.wheel", reason="hatchling builds wheels")
BuildHookInterface = pytest.importorskip("hatchling.builders.hooks.plugin.interface").BuildHookInterface
ROOT = Path(__file__).parent.parent
WITHOUT_COMPILING = """
import sys
from pathlib import Path
folder, which, level = sys.argv[1:]
Path(folder, f"a.loop-{which}-{level}.code").write_text("machine code")
Path(folder, "about.json").write_text('{"made": [], "note": ""}')
"""


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Build a wheel by running some code instead of a compiler; returns its name, what is in it of loops, its WHEEL."""

    def make(code=WITHOUT_COMPILING, **environment):
        for name in ("CONVCLI_PREBUILD", "CONVCLI_PREBUILD_FOR"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        from hatchling.plugin import utils

        load = utils.load_plugin_from_script

        def patched(*arguments):
            hook = load(*arguments)
            monkeypatch.setitem(hook._compile.__globals__, "_RUN", code)
            return hook

        monkeypatch.setattr("hatchling.builders.hooks.custom.load_plugin_from_script", patched)
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr("tempfile.tempdir", None)
        builder = wheel.WheelBuilder(str(ROOT))
        made = Path(next(builder.build(directory=str(tmp_path / "dist"), versions=["standard"])))
        assert [each.name for each in tmp_path.iterdir()] == ["dist"]
        with zipfile.ZipFile(made) as file:
            inside = {name: file.read(name) for name in file.namelist()}
        loops = {Path(name).name: data for name, data in inside.items() if name.startswith("convcli/_prebuilt/")}
        about = next(data.decode() for name, data in inside.items() if name.endswith("/WHEEL"))
        assert "convcli/loops/filtering/tile.py" in inside
        return made.name, loops, about

    return make


def test_a_wheel_carries_the_loops_of_its_machine_and_says_so(build):
    name, loops, about = build()
    assert sorted(loops) == ["a.loop-common-.code", "about.json"]
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert f"-{python}-{python}-" in name and "-any" not in name and "Root-Is-Purelib: false" in about


def test_a_wheel_for_levels_travels_as_far_as_numbas_own(build):
    name, loops, _ = build(CONVCLI_PREBUILD="all", CONVCLI_PREBUILD_FOR="x86-64-v3 x86-64-v4")
    assert {"a.loop-all-x86-64-v3.code", "a.loop-all-x86-64-v4.code"} < set(loops)
    assert "linux" in name or sys.platform != "linux"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("import sys; print('Permission denied', file=sys.stderr); sys.exit(1)", "Permission denied"),
        ("import os; os._exit(3)", "exit code 3"),
        (WITHOUT_COMPILING + "raise OSError(28, 'No space left on device')", "OSError: [Errno 28] No space left"),
    ],
)
def test_a_build_that_cannot_compile_makes_a_pure_wheel_and_says_why(build, capsys, code, why):
    name, loops, about = build(code)
    assert name.endswith("-py3-none-any.whl") and "Root-Is-Purelib: true" in about
    assert list(loops) == ["about.json"]
    assert json.loads(loops["about.json"])["note"].startswith(f"its build could not compile loops: {why}")
    assert f"loops could not be compiled, so this wheel has none: {why}" in "".join(capsys.readouterr())


def test_a_wheel_that_was_to_travel_is_not_made_without_loops(build):
    with pytest.raises(SystemExit, match="loops could not be compiled: no compiler"):
        build("import sys; sys.exit('no compiler')", CONVCLI_PREBUILD_FOR="x86-64-v3")


def test_nothing_is_compiled_that_is_not_wanted(build):
    name, loops, _ = build("raise SystemExit('compiles')", CONVCLI_PREBUILD="none")
    assert name.endswith("-py3-none-any.whl") and not loops


@pytest.mark.parametrize(("target", "version"), [("wheel", "editable"), ("sdist", "standard")])
def test_nothing_is_compiled_where_it_would_be_of_no_use(target, version, monkeypatch):
    from hatchling.plugin.utils import load_plugin_from_script

    hook = load_plugin_from_script(str(ROOT / "hatch_build.py"), "hatch_build.py", BuildHookInterface, "build_hook")
    monkeypatch.delenv("CONVCLI_PREBUILD", raising=False)
    monkeypatch.setattr(hook, "_compile", lambda *_: pytest.fail("compiles"))
    build_data = {"force_include": {}}
    hook(str(ROOT), {}, None, None, "", target).initialize(version, build_data)
    assert build_data == {"force_include": {}}


def test_an_unknown_choice_is_refused(build):
    with pytest.raises(SystemExit, match="CONVCLI_PREBUILD: got 'some', expected common, all, none"):
        build(CONVCLI_PREBUILD="some")


def test_the_build_asks_for_what_is_installed_later(monkeypatch):
    monkeypatch.delenv("CONVCLI_PREBUILD", raising=False)
    asked = wheel.WheelBuilder(str(ROOT)).config.dependencies
    assert {each.partition(">")[0] for each in asked} == {"numba", "numpy", "safetensors"}
    assert set(asked) <= set(wheel.WheelBuilder(str(ROOT)).metadata.core.dependencies)
    monkeypatch.setenv("CONVCLI_PREBUILD", "none")
    assert wheel.WheelBuilder(str(ROOT)).config.dependencies == []
