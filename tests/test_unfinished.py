"""Files that killed processes left: swept when their process is gone, and nothing else ever."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from convcli.datasets import downloading
from convcli.datasets.registry import ENTRIES
from convcli.errors import DataError
from convcli.images import Image, write
from convcli.unfinished import SUFFIX, sweep, unfinished_name

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are asked for as POSIX does")


def killed(folder):
    """What a process leaves in a folder that is killed while it writes."""
    code = f"""
import numpy as np, os, signal
from convcli.images import Image, png, write
png.encode = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
write(Image(np.zeros((4, 4, 3), np.uint8)), {str(folder / "a.png")!r})
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    (left,) = folder.iterdir()
    return left


def test_the_next_run_into_a_folder_sweeps_it(tmp_path):
    left = killed(tmp_path)
    assert re.fullmatch(r"\.[0-9a-f]{12}-\d+-\d+-[0-9a-f]{8}\.convcli-part", left.name)
    write(Image(np.zeros((4, 4, 3), np.uint8)), tmp_path / "b.png")
    assert [each.name for each in tmp_path.iterdir()] == ["b.png"]


def test_what_is_not_of_a_process_that_is_gone_stays(tmp_path):
    left = killed(tmp_path)
    machine, process, start, token = left.name.removesuffix(SUFFIX).lstrip(".").split("-")
    ours = unfinished_name()
    stays = [
        ours,
        f".{'0' * 12}-{process}-{start}-{token}{SUFFIX}",  # of another machine
        f".{machine}-{process}-{start}-{token}{SUFFIX}.txt",
        f"x.{machine}-{process}-{start}-{token}{SUFFIX}",
        f".a.png.{token}{SUFFIX}",  # as they were called before
        f".{machine}-{process}-{start}-{token}",
        f".{machine}-1-0-{token}{SUFFIX}",  # a process that lives, whose start is not known
    ]
    for name in stays:
        (tmp_path / name).write_bytes(b"")
    (tmp_path / f".{machine}-{process}-{start}-00000000{SUFFIX}").mkdir()
    # The number lives again: it is this process's, which began at another time.
    recycled = ours.split("-")
    (tmp_path / "-".join([recycled[0], recycled[1], str(int(recycled[2]) + 1), "00000000" + SUFFIX])).write_bytes(b"")
    sweep(tmp_path)
    assert {each.name for each in tmp_path.iterdir() if each.is_file()} == set(stays)
    assert not any(each.is_dir() for each in tmp_path.iterdir())  # of a store: folders are written so too


def test_a_folder_that_is_not_there_or_has_no_name(tmp_path):
    sweep(tmp_path / "no")
    sweep(tmp_path / "a\0b")
    assert not list(tmp_path.iterdir())


def test_a_target_of_the_longest_name(tmp_path):
    for name in ("日" * 83 + ".png", "a" * 251 + ".png"):
        write(Image(np.zeros((4, 4, 3), np.uint8)), tmp_path / name)
        assert (tmp_path / name).is_file()


def test_a_killed_download_is_swept_by_the_next(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    left = killed(tmp_path / "here")
    entry = replace(ENTRIES["mnist"], files=())
    downloading.download(entry, tmp_path / "here")
    assert not left.exists()
    writes = []
    monkeypatch.setattr("pooch.HTTPDownloader.__call__", lambda self, url, path, pooch: writes.append(Path(path)))
    file = ENTRIES["mnist"].files[0]
    with pytest.raises(DataError, match="cannot be written"):  # nothing was
        downloading.download(replace(entry, files=(file,), mirrors=("https://mirror/",)), tmp_path / "here")
    assert writes[0].name.endswith(SUFFIX) and writes[0].parent == tmp_path / "here"
