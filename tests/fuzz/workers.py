"""Processes that run cases one after the other; one that dies or hangs is a finding, and is replaced."""

import contextlib
import faulthandler
import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import time
from pathlib import Path

HANGS = 30.0  # seconds of the processor; what takes 5 is found by the case itself, with its name
COMPILES = 300.0  # instead, where loops are compiled, which is once
SLEEPS = 120.0  # seconds of the clock
CASES = 4000  # of one process: memory and files that a library loses are given back


class Worker:
    """One process. ``answer(kind, number)`` gives the problems of a case."""

    def __init__(self, seed):
        self.seed = seed
        self.folder = Path(tempfile.mkdtemp(prefix="convcli-fuzz-"))
        self.process = None

    def answer(self, kind, number):
        """Run one case: (problems, detail)."""
        if self.process is None or self.cases >= CASES:
            self.stop()
            self._start()
        self.cases += 1
        self.compiling.value = False
        self.pipe.send((kind, number))
        before, deadline = _processor_seconds(self.process.pid), time.monotonic() + SLEEPS
        try:
            while not self.pipe.poll(0.5):
                used = _processor_seconds(self.process.pid) - before
                late = time.monotonic() > deadline
                if used > (COMPILES if self.compiling.value else HANGS) or (late and not self.compiling.value):
                    os.kill(self.process.pid, signal.SIGUSR1)  # it writes where it is
                    self.process.join(1)
                    return [f"did not end in {used:.0f} s of the processor"], self._end()
            return self.pipe.recv(), ""
        except (EOFError, ConnectionError):
            self.process.join()
            return [f"the process died: {_death(self.process.exitcode)}"], self._end()

    def stop(self):
        """End the process, which waits for a case."""
        if self.process is not None:
            self._end()

    def close(self):
        """End the process and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self):
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.cases, self.compiling = 0, context.Value("b", False, lock=False)
        self.process = context.Process(
            target=_work, args=(other, self.compiling, self.seed, str(self.folder)), daemon=True
        )
        self.process.start()
        other.close()

    def _end(self):
        """Kill the process; what it last said about where it was."""
        self.process.kill()
        self.process.join()
        self.pipe.close()
        self.process = None
        with contextlib.suppress(OSError):
            return (self.folder / "where").read_text(errors="replace")
        return ""


def _work(pipe, compiling, seed, folder):
    os.environ.update(NUMBA_NUM_THREADS="1", OMP_NUM_THREADS="1")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's business
    socket.socket.connect = _refuse
    from .judging import Judge
    from .kinds import KINDS

    def when_compiling():
        compiling.value = True

    judge = Judge(folder, when_compiling)
    with Path(folder, "where").open("w") as where:
        faulthandler.enable(where)
        # Not by a timer: that walks the frames of a thread that goes on running, and can die of it.
        faulthandler.register(signal.SIGUSR1, file=where)
        while True:
            try:
                kind, number = pipe.recv()
            except EOFError:
                return
            pipe.send(judge.judge(KINDS[kind](seed, number)))


def _refuse(*_):
    raise OSError("no network while fuzzing")


def _processor_seconds(process):
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _death(code):
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"exit code {code}"
