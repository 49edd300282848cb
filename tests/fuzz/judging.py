"""Runs one case in this process, and says what is wrong with how it went."""

import contextlib
import gc
import io
import os
import re
import resource
import shutil
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

import convcli
from convcli.cli import run
from convcli.cli.library_warnings import TELLER
from convcli.loops.compiling import compiler
from convcli.unfinished import SUFFIX

PACKAGE = Path(convcli.__file__).parent
SECONDS = 5.0
BYTES = 1_000_000_000
_ROOM = 2 * BYTES  # of addresses: less would stop what only reserves them
_STRANGE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_OUT_OF_MEMORY = re.compile(r"not fit into memory|MemoryError|[Uu]nable to allocate|[Cc]annot allocate")


class Judge:
    """Runs cases in a folder that is emptied each time; standard output and error are files meanwhile."""

    def __init__(self, folder, when_compiling=lambda: None):
        self.when_compiling = when_compiling
        self.folder = Path(folder)
        self.place = self.folder / "case"
        self.temporary = self.folder / "temporary"
        self.temporary.mkdir(parents=True, exist_ok=True)
        os.environ.update(TMPDIR=str(self.temporary), CONVCLI_DATA_DIR=str(self.place), COLUMNS="80")
        os.environ["CONVCLI_MAX_MEMORY"] = "500M"
        self.streams = [(self.folder / name).open("w+b", buffering=0) for name in ("stdout", "stderr")]
        self.compiled = 0
        self.noises = []
        self.results = set()  # lines that the last run of the command line printed
        compiler.on_compiling(self._count_compilations)
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", category=ResourceWarning)
        warnings.filterwarnings("ignore", message="the matrix subclass")  # which arguments are made of
        warnings.showwarning = self._hear
        self.tell, TELLER.show = TELLER.show, self._hear
        sys.unraisablehook = lambda found: self.noises.append(f"unraisable: {found.exc_value!r} in {found.object!r}")
        threading.excepthook = lambda found: self.noises.append(f"in a thread: {found.exc_value!r}")

    def judge(self, case):
        """The problems of a case, a line each."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        case.place(self.place)
        os.chdir(self.place)
        self.noises.clear()
        before, compiled = set(_files(self.place)), self.compiled
        gc.collect(0)
        memory = _start_memory()
        started = time.process_time()
        code, text, problems = self._call(case) if case.expression else self._run(case)
        seconds, grown = time.process_time() - started, _memory("VmHWM") - memory
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        if self.compiled == compiled:
            problems += [f"took {seconds:.1f} s of the processor"] if seconds > SECONDS else []
            problems += [f"took {grown / 1e9:.1f} GB"] if grown > BYTES else []
            problems += ["ran out of memory"] if _OUT_OF_MEMORY.search(text) else []
        problems += self.noises
        left = set(_files(self.place)) - before
        problems += [f"left {each} behind" for each in sorted(_files(self.temporary))]
        problems += [f"left {name} behind" for name in sorted(left) if name.endswith(SUFFIX)]
        # What stands in a checkpoint was finite, though the training failed later.
        left = {name for name in left if not name.endswith(".checkpoint.safetensors")}
        left -= self.results if len(case.files) > 1 else set()  # of the files that did not fail
        if code and left:
            problems.append(f"failed, and left {', '.join(sorted(left))}")
        for path in self.temporary.iterdir():
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
        return problems

    def _run(self, case):
        with self._captured():
            try:
                sys.stdin = io.TextIOWrapper(io.BytesIO(case.stdin))
                # What is written to the root of the machine is written to the root of the case.
                code = run([f"{self.place}{word}" if word.startswith("/") else word for word in case.words])
            except BaseException as error:  # whatever it is, it should not have come out
                code, escaped = 1, [f"raised {type(error).__name__}: {error}"]
            else:
                escaped = []
        out, err = (_content(stream) for stream in self.streams)
        text = out + err
        problems = escaped
        problems += [] if code in (0, 1, 2) else [f"exit code {code}"]
        problems += ["traceback"] if "Traceback" in text else []
        problems += [line for line in err.splitlines() if "internal error" in line]
        errors = [line for line in err.split("\n") if line.startswith("Error:")]
        # Of several files each may fail, with a line of its own; a folder that is named may lie outside.
        outside = sum(len(list(Path(word).iterdir())) for word in case.words if _is_folder(word))
        fine = 1 <= len(errors) <= max(1, len(case.files) + outside) if code else not errors
        problems += [] if fine else [f"{len(errors)} error lines with exit code {code}"]
        self.results = set(out.splitlines())
        # A path that is a result stays as it is in a pipe; one may end with another.
        for name in sorted(_files(self.place), key=len, reverse=True):
            out = out.replace(name, "")
        out = "" if "-" in case.words else out  # the result itself, perhaps
        out = "\n".join(line for line in out.split("\n") if "\0" in line or not os.path.lexists(line))
        strange = [(name, _STRANGE.search(said)) for name, said in (("stdout", out), ("stderr", err))]
        problems += [f"{found[0]!a} on {name}" for name, found in strange if found]
        return code, text, problems

    def _call(self, case):
        try:
            with self._captured():
                result = eval(case.expression, {"convcli": convcli, "np": np})
        except convcli.ConvcliError as error:
            said = str(error)
            problems = [f"message of {len(said.splitlines())} lines"] if len(said.splitlines()) != 1 else []
            problems += [f"{found[0]!a} in the message" for found in [_STRANGE.search(said)] if found]
            return 0, said, problems + ([] if len(said) < 1000 else [f"message of {len(said)} characters"])
        except BaseException as error:  # whatever it is, it should have been ours
            if _is_fine(error, case):
                return 0, "", []
            return 0, "", [f"raised {type(error).__name__}: {error}"[:300]]
        printed = [_content(stream) for stream in self.streams]
        problems = [f"printed {said[:100]!r}" for said in printed if said]
        if not isinstance(result, np.ndarray):
            problems.append(f"gave {type(result).__name__}")
        return 0, "", problems

    @contextlib.contextmanager
    def _captured(self):
        """Whatever is written, by libraries in C too, goes to our files."""
        kept, streams = [os.dup(1), os.dup(2)], (sys.stdout, sys.stderr)
        for number, stream in enumerate(self.streams, 1):
            stream.seek(0)
            stream.truncate()
            os.dup2(stream.fileno(), number)
        sys.stdout, sys.stderr = (
            io.TextIOWrapper(io.FileIO(number, "w", closefd=False), "utf-8", "surrogateescape", write_through=True)
            for number in (1, 2)
        )
        try:
            yield
        finally:
            for number, stream in ((1, sys.stdout), (2, sys.stderr)):
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
                os.dup2(kept[number - 1], number)
                os.close(kept[number - 1])
            sys.stdout, sys.stderr = streams

    def _hear(self, message, category, filename, line, *_, **__):
        """A library's own warning about a file is told; what NumPy or Python say of our code is a fault."""
        told = issubclass(category, UserWarning) and PACKAGE not in Path(filename).parents
        if told or issubclass(category, (ResourceWarning, Image.DecompressionBombWarning)):
            self.tell(message, category, filename, line)
        else:
            self.noises.append(f"warning from {Path(filename).name}:{line}: {category.__name__}: {message}")

    def _count_compilations(self, state):
        """Loops are being compiled, which is told about twice a second: that time is not the case's."""
        self.compiled += 1
        self.when_compiling()


def _is_fine(error, case):
    """Whether an error is of making an argument, not of the call; or of a model's file that cannot be opened."""
    places = [each.f_code.co_filename for each, _ in traceback.walk_tb(error.__traceback__)]
    opening = isinstance(error, OSError) and "load_model" in case.expression
    return opening or not any("convcli" in Path(each).parts for each in places)


def _content(stream):
    stream.seek(0)
    return stream.read().decode("utf-8", "surrogateescape")


def _is_folder(word):
    try:
        return Path(word).is_dir()
    except (OSError, ValueError):
        return False


def _files(folder):
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()]


def _memory(key):
    with open("/proc/self/status") as stream:  # noqa: PTH123 (twice a case)
        return next(int(line.split()[1]) * 1024 for line in stream if line.startswith(key))


def _start_memory():
    """Let the peak begin here, allow so many addresses more, and give what is used now."""
    Path("/proc/self/clear_refs").write_text("5")
    resource.setrlimit(resource.RLIMIT_AS, (_memory("VmSize") + _ROOM, resource.RLIM_INFINITY))
    return _memory("VmRSS")
