"""Files come and go whole: reading errors name the file, writing is all or nothing, nothing leaks."""

import io
import os
import re
import subprocess
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from convcli.errors import ImageError
from convcli.images import Image, read, write
from convcli.images import png as png_codec

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
IMAGE = Image(PIXELS)


# Reading


def test_missing_file(tmp_path):
    with pytest.raises(ImageError, match=re.escape(f"{tmp_path / 'none.png'}: no such file")):
        read(tmp_path / "none.png")


def test_folder(tmp_path):
    with pytest.raises(ImageError, match="is a folder, expected a picture file"):
        read(str(tmp_path))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_forbidden_file(tmp_path):
    write(IMAGE, tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    with pytest.raises(ImageError, match="may not be read"):
        read(tmp_path / "a.png")


def test_forbidden_by_the_system(tmp_path, monkeypatch):
    def refuse(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(ImageError, match=r"a\.png: may not be read \(permission denied\); check its permissions"):
        read(tmp_path / "a.png")


def test_a_name_of_two_lines_makes_an_error_of_one(tmp_path):
    name = tmp_path / "two\nlines.png"
    for work in (lambda: read(name), lambda: write(IMAGE, name / "a.png"), lambda: write(IMAGE, tmp_path / "a\n.x\ny")):
        with pytest.raises(ImageError) as caught:
            work()
        assert "\n" not in str(caught.value)


def test_name_that_no_system_takes():
    for name in ("a" * 5000 + ".png", "nul\0byte.png"):
        with pytest.raises(ImageError, match="cannot be read"):
            read(name)
        with pytest.raises(ImageError, match="cannot be written"):
            write(IMAGE, name)


def test_a_signal_is_no_picture(tmp_path):
    for content, what in ((b"RIFF\x24\0\0\0WAVEfmt ", "sound"), (b"1, 2.5e3\r\n-3, 4\n" * 9, "table")):
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(ImageError, match=f"is a {what}, expected a picture; .* take signals with --axes x"):
            read(tmp_path / "a")


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"hello, this is text", b"%PDF-1.7 and so on", b"P7 something", b"BA", b"RIFF"]
)
def test_not_a_picture(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    expected = "is empty" if not content else "is not a picture convcli knows by its content, expected PNG, JPEG, TIFF"
    with pytest.raises(ImageError, match=rf"a\.png: {expected}"):
        read(tmp_path / "a.png")
    with pytest.raises(ImageError, match="<stream>: "):
        read(io.BytesIO(content))


def test_pixel_limit(tmp_path):
    for suffix in (".png", ".jpg", ".tif", ".webp", ".bmp", ".gif", ".ppm", ".npy"):
        path = tmp_path / f"a{suffix}"
        write(IMAGE, path)
        assert read(path, max_pixels=600).pixels.shape == PIXELS.shape
        with pytest.raises(ImageError, match=r"got 30x20 = 600 pixels, expected at most 599; .*--max-pixels 600"):
            read(path, max_pixels=599)


def test_many_threads(tmp_path):
    paths = [tmp_path / f"a{suffix}" for suffix in (".png", ".tif", ".bmp", ".ppm", ".npy", ".gif", ".jpg", ".webp")]
    for path in paths:
        write(IMAGE, path)
    alone = [read(path).pixels for path in paths]
    with ThreadPoolExecutor(8) as pool:
        for path, pixels in zip(paths * 10, pool.map(lambda path: read(path).pixels, paths * 10), strict=True):
            np.testing.assert_array_equal(pixels, alone[paths.index(path)])


def test_nothing_leaks_onto_stderr(tmp_path):
    """In a process of its own, where no test framework takes care of loggers and warnings."""
    whole = io.BytesIO()
    write(IMAGE, whole, format="png")
    content = whole.getvalue()
    odd = content[:33] + b"\0\0\0\3eXIfbad" + zlib.crc32(b"eXIfbad").to_bytes(4, "big") + content[33:]
    (tmp_path / "odd.png").write_bytes(odd)
    (tmp_path / "short.png").write_bytes(content[:-20])
    whole = io.BytesIO()
    write(IMAGE, whole, format="tiff")
    (tmp_path / "short.tif").write_bytes(whole.getvalue()[:-20])
    code = """
import sys
from convcli.errors import ImageError
from convcli.images import read
for name in sys.argv[1:]:
    try:
        read(name)
    except ImageError as error:
        print(error)
"""
    arguments = [sys.executable, "-W", "always", "-c", code, *map(str, sorted(tmp_path.iterdir()))]
    result = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) == 2


def test_import_is_light():
    code = "import sys, convcli.images; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "numpy" in loaded
    assert not {"PIL", "tifffile", "imagecodecs", "numba", "click", "scipy", "cv2"} & set(loaded)


# Writing


def test_existing_file_is_refused_and_kept(tmp_path):
    (tmp_path / "a.png").write_bytes(b"precious")
    with pytest.raises(ImageError, match=r"a\.png: already exists; choose another name or add --overwrite"):
        write(IMAGE, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"precious"
    write(IMAGE, tmp_path / "a.png", overwrite=True)
    np.testing.assert_array_equal(read(tmp_path / "a.png").pixels, PIXELS)
    assert [each.name for each in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    "failure", [RuntimeError("encoder\nfell over"), MemoryError(), KeyboardInterrupt(), SystemExit(1)]
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_failure_in_the_encoder_leaves_nothing(tmp_path, monkeypatch, failure, overwrite):
    if overwrite:
        (tmp_path / "a.png").write_bytes(b"precious")

    def fail(*_arguments, **_options):
        raise failure

    monkeypatch.setattr(png_codec, "encode", fail)
    expected = ImageError if isinstance(failure, Exception) else type(failure)
    with pytest.raises(expected) as caught:
        write(IMAGE, tmp_path / "a.png", overwrite=overwrite)
    assert "\n" not in str(caught.value)
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"precious"] * overwrite


@pytest.mark.parametrize("function", ["fsync", "link", "replace"])
def test_failure_of_the_disk_leaves_nothing(tmp_path, monkeypatch, function):
    def fail(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    for name in (function, "replace") if function == "link" else (function,):
        monkeypatch.setattr(os, name, fail)
    with pytest.raises(ImageError, match=r"a\.png: cannot be written \(no space left on device\)"):
        write(IMAGE, tmp_path / "a.png", overwrite=function == "replace")
    assert not list(tmp_path.iterdir())


def test_without_hard_links(tmp_path, monkeypatch):
    def fail(*_arguments, **_options):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", fail)
    write(IMAGE, tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png").pixels, PIXELS)
    assert [each.name for each in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_kept(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(95, "Operation not supported")))
    encode = png_codec.encode

    def slow(image, **options):
        (tmp_path / "a.png").write_bytes(b"somebody else's")
        return encode(image, **options)

    monkeypatch.setattr(png_codec, "encode", slow)
    with pytest.raises(ImageError, match="already exists"):
        write(IMAGE, tmp_path / "a.png")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"somebody else's"]


def test_of_many_writers_one_wins(tmp_path):
    barrier = threading.Barrier(8)
    outcomes = []

    def run(value):
        barrier.wait()
        try:
            write(Image(np.full((50, 50, 3), value, np.uint8)), tmp_path / "a.png")
            outcomes.append(value)
        except ImageError:
            pass

    threads = [threading.Thread(target=run, args=(value,)) for value in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(outcomes) == 1
    assert (read(tmp_path / "a.png").pixels == outcomes[0]).all()
    assert len(list(tmp_path.iterdir())) == 1


def test_killed_in_the_middle(tmp_path):
    code = f"""
import numpy as np, os, signal
from convcli.images import Image, png, write
png.encode = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
write(Image(np.zeros((4, 4, 3), np.uint8)), {str(tmp_path / "a.png")!r})
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode < 0
    left = [each.name for each in tmp_path.iterdir()]
    assert len(left) == 1 and left[0].endswith(".convcli-part")


def test_an_error_between_two_pieces_leaves_nothing(tmp_path, monkeypatch):
    def encode(image, **options):
        yield b"the first piece"
        raise RuntimeError("no more")

    monkeypatch.setattr(png_codec, "encode", encode)
    stream = io.BytesIO()
    for target in (tmp_path / "a.png", stream):
        with pytest.raises(ImageError, match=r"cannot be written as PNG \(no more\)"):
            write(IMAGE, target, format="png")
    assert not list(tmp_path.iterdir()) and stream.getvalue() == b""


def test_target_folder(tmp_path):
    with pytest.raises(ImageError, match=r"its folder .*none does not exist; create it first"):
        write(IMAGE, tmp_path / "none" / "a.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ImageError, match=r"folder\.png: is a folder, expected a file name"):
        write(IMAGE, tmp_path / "folder.png", overwrite=True)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ImageError, match=r"its folder .*file does not exist"):
        write(IMAGE, tmp_path / "file" / "a.png")


@pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")
def test_permissions(tmp_path):
    mask = os.umask(0o027)
    try:
        write(IMAGE, tmp_path / "a.png")
        assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(mask)
    (tmp_path / "a.png").chmod(0o600)
    write(IMAGE, tmp_path / "a.png", overwrite=True)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o600  # a private file stays private


@pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")
def test_devices_and_pipes_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for overwrite in (False, True):
        with pytest.raises(ImageError, match=r"pipe\.png: is not a regular file; use - for standard output"):
            write(IMAGE, tmp_path / "pipe.png", overwrite=overwrite)
        with pytest.raises(ImageError, match="is not a regular file"):
            write(IMAGE, "/dev/null", format="png", overwrite=overwrite)
    with pytest.raises(ImageError, match=r"/dev/null: got no suffix, expected one of [^/]*$"):  # it is no folder's name
        write(IMAGE, "/dev/null")


def test_write_protected_file(tmp_path, monkeypatch):
    write(IMAGE, tmp_path / "a.png")
    monkeypatch.setattr(os, "access", lambda *_arguments: False)
    with pytest.raises(ImageError, match=r"a\.png: is write-protected"):
        write(IMAGE, tmp_path / "a.png", overwrite=True)


@pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")
def test_symbolic_links(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link, file = tmp_path / "link.png", tmp_path / "elsewhere" / "real.png"
    link.symlink_to(file)
    write(IMAGE, link)  # a link to nothing yet: the file it names appears
    assert link.is_symlink() and file.is_file()
    with pytest.raises(ImageError, match="already exists"):
        write(IMAGE, link)
    write(Image(PIXELS // 2), link, overwrite=True)
    assert link.is_symlink()
    np.testing.assert_array_equal(read(file).pixels, PIXELS // 2)
    assert len(list(tmp_path.iterdir())) == 2 and len(list(file.parent.iterdir())) == 1
    (tmp_path / "round.png").symlink_to(tmp_path / "round.png")
    with pytest.raises(ImageError, match=r"round\.png: "):
        write(IMAGE, tmp_path / "round.png", overwrite=True)


def test_long_names(tmp_path):
    name = "n" * 250 + ".png"
    write(IMAGE, tmp_path / name)
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_refusals_before_any_work(tmp_path):
    for image, name, message in (
        (Image(PIXELS.astype(np.float32)), "a.png", "PNG holds 8- and 16-bit pixels, not float32"),
        (Image(np.dstack([PIXELS, PIXELS[:, :, 0]]), True), "a.jpg", "JPEG holds no alpha channel"),
        (Image(np.zeros((0, 4, 3), np.uint8)), "a.png", "got a picture of 4x0, expected at least 1x1"),
        (IMAGE, "a.xyz", "got the suffix '.xyz', expected one of"),
    ):
        with pytest.raises(ImageError, match=re.escape(message)):
            write(image, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_read_only_and_strided_pixels(tmp_path):
    turned = PIXELS.swapaxes(0, 1)[::-1]
    turned.flags.writeable = False
    for suffix in (".png", ".tif", ".bmp", ".ppm", ".npy"):
        write(Image(turned), tmp_path / f"a{suffix}")
        np.testing.assert_array_equal(read(tmp_path / f"a{suffix}").pixels, turned)
    for suffix in (".jpg", ".webp", ".gif"):
        write(Image(turned), tmp_path / f"a{suffix}")


def test_white():
    assert [Image(np.zeros((1, 1, 1), dtype)).white for dtype in ("uint8", "uint16", "float32", "float64")] == [
        255, 65535, 1, 1,
    ]  # fmt: skip


def test_an_empty_name_is_no_folder():
    with pytest.raises(ImageError, match="picture: got an empty name, expected a file"):
        read("")
