"""What libraries have to say: one clean line each, and nothing under -q."""

import io
import logging
import os
import struct
import warnings

import numpy as np
import pytest
import tifffile

from convcli.cli import run
from convcli.cli.library_warnings import TELLER
from convcli.images import read
from convcli.images.native import native_messages
from convcli.images.remarks import remarks


@pytest.fixture
def speaking(tmp_path):
    """A TIFF in JPEG XR with a tag that its library does not know, about which it writes to standard error."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.zeros((16, 16, 3), np.uint8), photometric="rgb", compression="jpegxr", metadata=None)
    data = bytearray(stream.getvalue())
    start = data.index(b"II\xbc")
    directory = start + struct.unpack_from("<I", data, start + 4)[0]
    count = struct.unpack_from("<H", data, directory)[0]
    struct.pack_into("<H", data, directory + 2 + 12 * (count - 1), 0xBCF0)
    path = tmp_path / "a.tif"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("quiet", [False, True])
def test_a_library_that_writes_to_standard_error(speaking, capfd, quiet):
    arguments = ["filter", str(speaking), "-k", "identity", "-o", str(speaking.with_suffix(".png"))]
    assert run([*arguments, *["-q"] * quiet]) == 0
    lines = [line for line in capfd.readouterr().err.splitlines() if "compiling" not in line]
    assert len(lines) == (not quiet)
    assert quiet or lines[0].startswith("Warning: JPEG XR: Unrecognized WMPTag")


def test_it_is_a_warning_of_the_picture(speaking, capfd):
    assert len(read(speaking).warnings) == 1
    assert capfd.readouterr().err == ""


def test_warnings_of_python(monkeypatch, capsys):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # restored afterwards
    TELLER.begin()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = TELLER.show
        warnings.warn("one\n  two", RuntimeWarning, stacklevel=1)
        warnings.warn("one two", UserWarning, stacklevel=1)
        TELLER.is_quiet = True
        warnings.warn("three", UserWarning, stacklevel=1)
    assert capsys.readouterr().err == "Warning: one two\n"


@pytest.mark.parametrize("word", ["-q", "--quiet", "-qk"])
def test_quiet_in_every_spelling(tmp_path, word, capsys, monkeypatch):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    run(["filter", str(tmp_path / "none.png"), *([word] if word == "-qk" else [word, "-k"]), "identity"])
    assert TELLER.is_quiet
    capsys.readouterr()
    run(["filter", str(tmp_path / "none.png"), "-k", "identity"])
    assert not TELLER.is_quiet


@pytest.mark.parametrize("library", ["tifffile", "imagecodecs"])
def test_remarks_to_a_logger(library, capfd):
    with remarks() as said:
        logging.getLogger(library).warning("<tifffile.TiffTag 282 @1>  a tag\ntwice")
        logging.getLogger(library).warning("a tag twice")
        logging.getLogger(library).debug("no news")
    logging.getLogger(library).warning("nobody listens")
    assert said == [f"{library}: a tag twice"]
    assert capfd.readouterr().err == ""


def test_standard_error_is_given_back(capfd):
    with native_messages() as said:
        os.write(2, b"first \n\n second\n")
    os.write(2, b"third\n")
    assert said == ["first", "second"]
    assert capfd.readouterr().err == "third\n"


def test_a_header_as_python_2_wrote_it(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3L, 4L), }".ljust(117) + b"\n"
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(48))
    arguments = ["pad", str(tmp_path / "a.npy"), "--amount", "1", "--overwrite"]
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert run(arguments) == 0
        lines = capfd.readouterr().err.splitlines()
        assert len(lines) <= 1 and all(line.startswith("Warning: ") for line in lines)
        assert run([*arguments, "-q"]) == 0
    assert capfd.readouterr().err == ""
