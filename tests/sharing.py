"""Several processes of pytest that share the files of tests: each takes the next when it is done with its last.

With pytest-xdist each process collects all tests, and hands each report to one more: a tenth of what the suite cost.
"""

import shutil
import subprocess
import sys
import tempfile
from itertools import chain, pairwise
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Those that take longest, in this order: they begin first, so that no process has one left in the end.
LONGEST = (
    "bench/test_cases.py", "ops/test_volumes.py", "loops/test_kept.py", "jobs/test_predict_shipped.py",
    "test_documentation.py", "test_style.py", "cli/test_train.py", "cli/test_filter_volumes.py", "cli/test_bench.py",
    "views/test_explain_page.py", "lab/test_rooms.py", "datasets/test_digit_pages.py", "datasets/test_digit.py",
    "cli/test_cache.py", "cli/test_filter.py", "test_start_up.py", "cli/test_bombs.py", "ops/test_convolution.py",
    "loops/test_prebuilt.py", "loops/test_waiting.py", "loops/test_wanted.py", "views/test_animation.py",
)  # fmt: skip


OTHERS = []  # processes beside this one, and what they say


def pytest_addoption(parser):
    parser.addoption("--processes", metavar="N", type=int, default=1, help="share the files of tests among processes")
    parser.addoption("--share", metavar="FOLDER", type=Path, help="where those note which files they have taken")


def pytest_sessionstart(session):
    """Start the others."""
    option = session.config.option
    if option.processes == 1:
        return
    option.share = Path(tempfile.mkdtemp())
    words = [*session.config.invocation_params.args, "--processes=1", f"--share={option.share}"]
    for _ in range(option.processes - 1):
        said = tempfile.TemporaryFile()  # noqa: SIM115 (closed when it was read)
        OTHERS.append((subprocess.Popen([sys.executable, "-m", "pytest", *words], stdout=said, stderr=said), said))


def pytest_sessionfinish(session):
    """Wait for the others; what failed there has failed."""
    codes = {process.wait() for process, _ in OTHERS}
    if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = max(codes - {pytest.ExitCode.NO_TESTS_COLLECTED}, key=abs, default=session.exitstatus)
    if OTHERS:
        shutil.rmtree(session.config.option.share)


def pytest_terminal_summary(terminalreporter):
    """Say what the others have said."""
    for _, said in OTHERS:
        said.seek(0)
        terminalreporter.write_line("\n" + said.read().decode(errors="replace"))
        said.close()


def pytest_collection(session):
    """Find files, if they are to be shared; what is in them is found by who takes them."""
    if session.config.option.share is None:
        return None
    asked = [session.config.invocation_params.dir / each for each in session.config.args]
    found = {path for each in asked for path in (each.rglob("test_*.py") if each.is_dir() else [each])}
    places = {HERE / name: place for place, name in enumerate(LONGEST)}
    ordered = sorted(found, key=lambda path: (places.get(path, len(LONGEST)), path))
    with pytest.MonkeyPatch.context() as patch:
        for choosing in ("keyword", "markexpr"):  # -k and -m choose tests, later, not files
            patch.setattr(session.config.option, choosing, "")
        session.items = session.perform_collect(list(map(str, ordered)), genitems=False)
    return True


def pytest_runtestloop(session):
    """As pytest's own, file after file."""
    folder = session.config.option.share
    if folder is None:
        return None
    items = chain.from_iterable(_tests(module) for module in session.items if _is_ours(folder, module.path))
    for item, following in pairwise(chain(items, [None])):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
    return True


def _is_ours(folder, path):
    """Whether nobody else has taken this file, which then is taken."""
    try:
        (folder / "-".join(path.parts[1:])).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _tests(module):
    session = module.session
    items = list(session.genitems(module))
    session.config.hook.pytest_collection_modifyitems(session=session, config=session.config, items=items)
    session.testscollected += len(items)
    return items
