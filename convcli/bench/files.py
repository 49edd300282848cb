"""Pictures from file to file: one large JPEG, a folder of them, and writing PNG."""

import shlex
import shutil
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from convcli.bench.model import Array, Case, Contest, Setting, Side, Tolerance
from convcli.bench.peers import run_program
from convcli.bench.pictures import photograph
from convcli.bench.programs import (
    PROGRAMS,
    filter_command,
    peer_command,
    picture_contest,
    read_picture,
    write_mask,
    writing_side,
)
from convcli.errors import ConvcliError
from convcli.images import Image as Picture
from convcli.images import write

# Below 90 all of them halve the colour's resolution; at 90 vips stops doing so.
_QUALITY = 85
_LOOP_PEERS = ("vips", "graphicsmagick")
# Every side decodes, rounds and encodes with losses of its own.
_NEAR = Tolerance(1.5, "mean")


def head(setting: Setting) -> str:
    """What is measured and how."""
    height, width = setting.picture_size
    return (
        f"whole processes; 3x3 weights 1 2 1, 2 4 2, 1 2 1; JPEG of quality {_QUALITY} with halved colour in and out, "
        f"{width}x{height}; the folder: one convcli command, a shell loop of the others; png: images.write and "
        "cv2.imwrite in this process"
    )


def cases(setting: Setting) -> list[Case]:
    """The group files."""
    count, megapixels = (4, 0.03) if setting.quick else (50, setting.megapixels / 4)
    return [
        Case("files", "JPEG", "one 3x3", PROGRAMS, partial(_one, setting)),
        Case("files", "folder", f"{count} JPEGs", _LOOP_PEERS, partial(_folder, setting, count, megapixels)),
        Case("files", "write", "PNG", ("opencv",), partial(_png, setting)),
    ]


def _one(setting: Setting) -> Contest:
    folder = tempfile.TemporaryDirectory(prefix="convcli-bench-")
    source = Path(folder.name, "picture.jpg")
    Image.fromarray(photograph(*setting.picture_size)).save(source, quality=_QUALITY)
    return picture_contest(setting, folder, source, _NEAR, threads=setting.threads, quality=_QUALITY)


def _folder(setting: Setting, count: int, megapixels: float) -> Contest:
    folder = tempfile.TemporaryDirectory(prefix="convcli-bench-")
    inputs = Path(folder.name, "in")
    inputs.mkdir()
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    first = inputs / "picture00.jpg"
    Image.fromarray(photograph(height, height * 3 // 2)).save(first, quality=_QUALITY)
    for index in range(1, count):
        shutil.copyfile(first, inputs / f"picture{index:02}.jpg")
    mask = write_mask(Path(folder.name))
    keys = [key for key in _LOOP_PEERS if key in setting.peers and shutil.which("sh")]
    commands = {"convcli": filter_command(inputs, Path(folder.name, "convcli"), setting.threads)}
    for key in keys:
        words = peer_command(key, "$f", f"{folder.name}/{key}/${{f##*/}}", mask, _QUALITY)
        quoted = " ".join(f'"{word}"' if "$" in word else shlex.quote(word) for word in words)
        commands[key] = ["sh", "-c", f"set -e; for f in {shlex.quote(str(inputs))}/*.jpg; do {quoted}; done"]
    for key in commands:
        Path(folder.name, key).mkdir()

    def side(key: str) -> Side:
        def check() -> Array:
            run_program(commands[key])
            written = sorted(Path(folder.name, key).iterdir())
            if len(written) != count:
                raise ConvcliError(f"{key}: wrote {len(written)} files, expected {count}")
            return np.concatenate([read_picture(written[place]) for place in (0, -1)])

        name = "convcli" if key == "convcli" else f"{key} loop"
        return Side(name, lambda: run_program(commands[key]), key if key != "convcli" else "", check)

    return Contest(side("convcli"), tuple(side(key) for key in keys), _NEAR, close=folder.cleanup)


def _png(setting: Setting) -> Contest:
    folder = tempfile.TemporaryDirectory(prefix="convcli-bench-")
    pixels = photograph(*setting.picture_size)
    ours, theirs = Path(folder.name, "convcli.png"), Path(folder.name, "opencv.png")
    sides = []
    if "opencv" in setting.peers:
        import cv2

        flipped = np.ascontiguousarray(pixels[..., ::-1])  # it writes blue first; the turning is not timed

        sides = [writing_side("OpenCV", lambda: cv2.imwrite(str(theirs), flipped), "opencv", theirs)]

    def note() -> str:
        sizes = (f"{path.stem} {path.stat().st_size / 1e6:.2f}" for path in (ours, theirs) if path.exists())
        return f"MB written: {', '.join(sizes)}"

    side = writing_side("convcli", lambda: write(Picture(pixels), ours, overwrite=True), "", ours)
    return Contest(side, tuple(sides), Tolerance(0), note=note, close=folder.cleanup)
