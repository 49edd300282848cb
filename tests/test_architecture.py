"""The house rules that a machine can hold: import direction, who may import what, file and function sizes."""

import ast
import re
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from tables import each_of

PACKAGE = Path(__file__).parent.parent / "convcli"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)

# A room may import its own modules and those of lower rooms. Leaves may be imported by anyone and import leaves only.
LEAVES = {
    "errors",
    "budget",
    "atomic",
    "addresses",
    "unfinished",
    "notebooks",
    "extras",
    "geometry",
    "kernels",
    "architectures",
}
ORDER = ["loops", "ops", "images", "stores", "engines", "datasets", "nn", "views", "jobs", "bench", "lab", "cli"]


def room(module):
    """The room of a dotted module name: ``convcli.ops.plan`` -> ``ops``."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@cache
def nodes(path):
    """What a module is made of, read once."""
    return list(ast.walk(ast.parse(path.read_text())))


@cache
def imports(path):
    """Every (line, dotted name) a module imports, those inside functions too."""
    found = []
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                submodule = PACKAGE.parent / (node.module or "").replace(".", "/") / f"{alias.name}.py"
                found.append((node.lineno, f"{node.module}.{alias.name}" if submodule.exists() else node.module))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("needed", "import_module"):
            found += [(node.lineno, each.value) for each in node.args[:1] if isinstance(each, ast.Constant)]
    return found


def name_of(path):
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


@each_of("path", MODULES)
def test_imports_run_one_way(path):
    here = room(name_of(path))
    if here in ("", "__main__"):
        return
    for line, name in imports(path):
        there = room(name) if name.split(".")[0] == "convcli" else None
        if there in (None, "", here, "errors"):
            continue
        allowed = LEAVES if here in LEAVES or there in LEAVES else set(ORDER[: ORDER.index(here)])
        assert there in allowed, f"{path.name}:{line}: {here} imports {name}"


def test_no_modules_import_each_other_in_a_circle():
    names = {name_of(path): path for path in MODULES if name_of(path) != "convcli"}  # whose names are resolved late
    graph = {name: {there for _, there in imports(path)} & set(names) - {name} for name, path in names.items()}
    order = list(TopologicalSorter(graph).static_order())  # CycleError names those in a circle
    assert set(order) == set(names)


@each_of("path", MODULES)
def test_who_may_import_what(path):
    here = room(name_of(path))
    for line, name in imports(path):
        library = name.split(".")[0]
        if library in ("numba", "llvmlite"):
            assert "compiling" in path.parts, f"{path.name}:{line}: numba lives in loops/compiling only"
        if "compiling" in path.parts and name.startswith("convcli.loops."):
            assert name.startswith("convcli.loops.compiling"), f"{path.name}:{line}: the compiler knows no loops"
        if library == "zarr":
            assert here == "stores", f"{path.name}:{line}: zarr lives in stores only"
        if library == "fsspec":
            assert here in ("addresses", "stores"), f"{path.name}:{line}: fsspec lives in addresses and stores only"
        if library in ("starlette", "uvicorn"):
            assert here == "lab", f"{path.name}:{line}: the server lives in lab only"
        if here == "lab" and name.startswith("convcli."):
            assert room(name) not in ("loops", "ops", "datasets"), f"{path.name}:{line}: the lab calls jobs"
        if library in ("dask", "distributed"):
            assert here == "engines", f"{path.name}:{line}: distributed lives in engines only"
        if library == "click":
            assert here == "cli", f"{path.name}:{line}: click lives in cli only"
        if library == "rich":
            assert here in ("cli", "views"), f"{path.name}:{line}: rich is for showing"
        assert library not in ("scipy", "torch", "cv2", "skimage") or "bench" in path.parts, f"{path.name}:{line}"
        if here in ("geometry", "errors", "architectures"):
            assert library not in ("numpy",), f"{path.name}:{line}: {here} is standard library only"


@each_of("path", MODULES)
def test_only_the_command_line_prints(path):
    calls = [node for node in nodes(path) if isinstance(node, ast.Call)]
    printed = [node.lineno for node in calls if isinstance(node.func, ast.Name) and node.func.id == "print"]
    assert not printed or room(name_of(path)) == "cli", f"{path.name}: prints in line {printed}"


@each_of("path", MODULES)
def test_documents_for_people_are_made_in_one_place(path):
    if room(name_of(path)) == "cli":
        assert "json" not in [name for _, name in imports(path)], f"{path.name}: JSON comes from jobs.documents"


@each_of("path", MODULES)
def test_modules_and_functions_stay_readable(path):
    text = path.read_text()
    assert text.count("\n") <= 450, f"{path.name}: {text.count(chr(10))} lines; does it hold two things?"
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef):
            body = [each for each in node.body if not isinstance(each, ast.Expr)] or node.body
            lines = (node.end_lineno or 0) - body[0].lineno
            assert lines <= 70, f"{path.name}:{node.lineno}: {node.name} has {lines} lines"


def test_few_functions_take_many_arguments():
    """Beyond eight an argument is often a thing that has no name yet; the field's own signatures are excepted."""
    public = {"pool1d", "pool2d", "pool3d"}
    many = [
        f"{name_of(path)}.{node.name}"
        for path in MODULES
        if room(name_of(path)) not in ("loops", "cli")
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef) and node.name not in public
        if len([each for each in (*node.args.args, *node.args.kwonlyargs) if each.arg != "self"]) > 8
    ]
    assert len(many) <= 12, many


def test_prange_is_used_in_parallel_loops_only():
    for path in (PACKAGE / "loops").rglob("*.py"):
        for function in nodes(path):
            if not isinstance(function, ast.FunctionDef):
                continue
            inner = {
                n
                for f in ast.walk(function)
                if isinstance(f, ast.FunctionDef) and f is not function
                for n in ast.walk(f)
            }
            uses = any(isinstance(n, ast.Name) and n.id == "prange" for n in ast.walk(function) if n not in inner)
            decorators = [ast.unparse(each) for each in function.decorator_list]
            if uses:
                assert "loop" in decorators, f"{path.name}: {function.name} uses prange but is not a parallel loop"


def test_no_machine_path_is_in_the_project():
    for path in [*MODULES, *Path(__file__).parent.rglob("*.py"), PACKAGE.parent / "README.md"]:
        assert not re.search(r"/(home|root|Users)/\w", path.read_text().replace("Path.home", "")), path
