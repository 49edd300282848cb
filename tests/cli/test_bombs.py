"""Files and words that ask for gigabytes or minutes are refused in one line, within little memory.

One child process, whose address space is limited to what it has once everything is imported and a little more, runs the
command line on all of them in turn; a bomb that goes off takes the child with it, and every test after it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import bombs
import pytest

MEGABYTES = 1 << 20
ROOM = 400 * MEGABYTES
SECONDS = 120  # of the processor, for all together: a guard against hanging, not a measurement

resource = pytest.importorskip("resource", reason="limits of a process are Unix's")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the size of a process is read as Linux tells it")

FILTER = ("filter", "{}", "-k", "box", "-o", "out.png", "--overwrite")
VOLUME = ("filter", "{}", "-k", "box3d", "--axes", "zyx", "-o", "out.npy", "--overwrite")
MANY_CHANNELS = ("filter", "{}", "-k", "box", "--axes", "yxc", "-o", "out.npy", "--overwrite")
SIGNAL = ("filter", "{}", "-k", "1 2 1", "--axes", "x", "--overwrite")
KERNEL = ("kernel", "show", "{}")
NETWORK = ("summary", "{}")
MEMORY = ("--max-memory", "2G")

# Name of the file -> how it is made, the command, what its one line has to say.
FILES = {
    "scans.jpg": (lambda: bombs.jpeg_of_scans(5000), FILTER, "5,001 scans of 7000x7000 pixels", "--max-pixels"),
    "segments.jpg": (lambda: bombs.jpeg_of_segments(200_000), FILTER, "100,001 segments", "at most 100,000"),
    "coefficients.jpg": (lambda: bombs.jpeg_of_scans(1, 20000, 20000), (*FILTER, *MEMORY), "3.2 GB", "--max-memory"),
    "nested.tif": (bombs.tiff_nested_exif, FILTER, "a page has 4,096 entries", "at most 1,000"),
    "pages.tif": (lambda: bombs.tiff_of_pages(300_000), FILTER, "200,001 pages", "at most 200,000"),
    "overlapping.tif": (lambda: bombs.tiff_of_pages(160_000, 900), FILTER, "directories overlap", "fresh copy"),
    "shared.tif": (bombs.tiff_of_shared_values, FILTER, "its entries name more than", "fresh copy"),
    "tile.tif": (lambda: bombs.tiff_with(1, bytes(99), (1, 1), (22352, 22352)), FILTER, "tiles of 22352x22352", "16,7"),
    "strips.tif": (bombs.tiff_of_strips, FILTER, "300,000 strips or tiles", "at most 250,000"),
    "jpeg.tif": (lambda: bombs.tiff_with(7, bombs.jpeg_claiming(65500, 65500)), FILTER, "a JPEG of 65500x65500", "16x"),
    "jpeg_scans.tif": (
        lambda: bombs.tiff_with(7, bombs.jpeg_of_scans(5000), (7000, 7000)),
        FILTER,
        "5,001 scans",
        "--max-pixels",
    ),
    "png.tif": (
        lambda: bombs.tiff_with(34933, bombs.png(width=40000, height=40000)),
        FILTER,
        "a PNG of 40000x",
        "16x16",
    ),
    "webp.tif": (
        lambda: bombs.tiff_with(50001, bombs.webp_claiming(16000, 16000)),
        FILTER,
        "WEBP of 16000x16",
        "16x16",
    ),
    "jp2.tif": (
        lambda: bombs.tiff_with(34712, bombs.jpeg_2000_claiming(30000, 30000)),
        FILTER,
        "2000 of 30000x3",
        "16",
    ),
    "jxl.tif": (
        lambda: bombs.tiff_with(50002, bombs.jpeg_xl_claiming(30000, 30000)),
        FILTER,
        "XL of 30000x30000",
        "16",
    ),
    "jxr.tif": (
        lambda: bombs.tiff_with(22610, bombs.jpeg_xr_claiming(30000, 30000)),
        FILTER,
        "XR of 30000x30000",
        "16",
    ),
    "lerc.tif": (lambda: bombs.tiff_with(34887, bombs.lerc_claiming(30000, 30000)), FILTER, "LERC of 30000x3000", "16"),
    "planes.tif": (lambda: bombs.tiff_described(bombs.ome(10**9)), VOLUME, "1,000,000,000 planes", "at most 100,000"),
    "frames.tif": (lambda: bombs.tiff_described(bombs.ome(2, 10**9)), VOLUME, "2,000,000,000 planes", "100,000"),
    "wide.tif": (lambda: bombs.tiff_described(bombs.ome(1, width=10**9)), VOLUME, "1000000000x8", "--max-pixels"),
    "imagej.tif": (
        lambda: bombs.tiff_described("ImageJ=1.53\nimages=1000000000\nslices=1000000000\n"),
        VOLUME,
        "fewer planes than it",
        "",
    ),
    "shaped.tif": (lambda: bombs.tiff_described('{"shape": [1000000000, 8, 8]}'), VOLUME, "bytes are missing", ""),
    "chunks.png": (lambda: bombs.png([(b"tEXt", b"")] * 200_000), FILTER, "chunks and more", "at most 102,"),
    "pixels.png": (
        lambda: bombs.png(width=25000, height=20000, bits=16, colour=6),
        (*FILTER, *MEMORY),
        "48 GB",
        "--max-m",
    ),
    "runs.bmp": (bombs.bmp_of_runs, FILTER, "draw 7,000 of 455,000,000 pixels", "one in 64"),
    "cut.bmp": (lambda: bombs.bmp_of_runs()[:9000], FILTER, "of 455,000,000 pixels", "truncated"),
    "plain.bmp": (bombs.bmp_claiming, FILTER, "truncated BMP", "fresh copy"),
    "canvas.webp": (lambda: bombs.webp_animated(9), FILTER, "canvas has 144,000,000 pixels", "one in 64"),
    "animation.webp": (lambda: bombs.webp_animated(9), VOLUME, "canvas has 144,000,000 pixels", "one in 64"),
    "seen_through.gif": (lambda: bombs.gif_of_frames(49_000), VOLUME, "has an alpha channel", "--background white"),
    "seen_through.png": (
        lambda: bombs.png_animated(14_000, 14_000, bombs.zeros_packed(785 << 20)),
        VOLUME,
        "has an alpha channel",
        "--background white",
    ),
    "few.png": (lambda: bombs.png_animated(9000, 9000, bytes(17)), VOLUME, "pixels are 17 bytes", "at least 313,954"),
    "few_flat.png": (
        lambda: bombs.png(width=9000, height=9000, colour=6, data=bytes(17)),
        FILTER,
        "pixels are 17 bytes",
        "at least 313,954",
    ),
    "sizes.tif": (lambda: bombs.tiff_of_sizes(50_000), VOLUME, "page 2: got 5x4 pixels", "all alike"),
    "frames.gif": (lambda: bombs.gif_of_frames(60_000), VOLUME, "60,000 frames", "at most 50,000"),
    "animation.gif": (lambda: bombs.gif_of_frames(100, (22000, 22000)), VOLUME, "pixels", "--max-pixels"),
    "canvas.gif": (
        lambda: bombs.gif_of_frames(1, (22000, 22000)),
        VOLUME,
        "canvas has 484,000,000 pixels",
        "one in 64",
    ),
    "flat.gif": (lambda: bombs.gif_of_frames(1, (22000, 22000)), FILTER, "canvas has 484,000,000 pixels", "one in 64"),
    "blanks.ppm": (
        lambda: b"P6 " + b" " * 9_000_000 + b"2 2 255\n" + bytes(12),
        FILTER,
        "65,536 bytes",
        "",
    ),
    "comments.ppm": (
        lambda: b"P6 " + b"#\n" * 5_000_000 + b"2 2 255\n" + bytes(12),
        FILTER,
        "65,536 bytes",
        "",
    ),
    "plain.ppm": (lambda: b"P3 20000 20000 255\n" + b"1 " * 99, (*FILTER, *MEMORY), "76.8 GB", "--max-memory 77G"),
    "columns.csv": (lambda: b"1," * 100_000 + b"1\n", SIGNAL, "100,001 columns", "at most 4,096"),
    "names.csv": (lambda: b"a," * 9_000 + b"b\n" + b"1," * 9_000 + b"1\n", SIGNAL, "9,001 columns", "at most 4,096"),
    "channels.wav": (lambda: bombs.wav_claiming(65535), SIGNAL, "65,535 channels", "at most 4,096"),
    "samples.wav": (lambda: bombs.wav_claiming(1, 9_000_000), (*SIGNAL, "--max-memory", "99M"), "144 MB", "--max-m"),
    "shape.npy": (lambda: bombs.npy_claiming((10**6, 10**6)), FILTER, "1000000000000 pixels", "--max-pixels"),
    "signal.npy": (lambda: bombs.npy_claiming((10**12,)), SIGNAL, "truncated NPY: 1000000000000 bytes", ""),
    "channels.npy": (lambda: bombs.npy_claiming((9, 9, 10**12)), MANY_CHANNELS, "which need", "--max-memory"),
    "planes.npy": (lambda: bombs.npy_claiming((9, 10**6, 10**6)), VOLUME, "1000000000000 pixels", "--max-pixels"),
    "digits.txt": (lambda: b"9" * 400_000, KERNEL, "a number of 400,000 characters", "at most 1,000"),
    "no_digits.txt": (lambda: b"9" * 400_000 + b"x", KERNEL, "a number of 400,001 characters", "at most 1,000"),
    "planes.txt": (lambda: b"1|" * 100_000, KERNEL, "100,000 planes", "at most 1,000"),
    "row.txt": (lambda: b"1 " * 10_000_000, KERNEL, "weights", "the limit is 4,000,000"),
    "rows.txt": (lambda: b"1\n" * 200_000, KERNEL, "200,000 rows", "at most 100,000"),
    "row.json": (lambda: b"[" + b"1," * 10_000_000 + b"1]", KERNEL, "10,000,000 weights", "the limit is 4,000,000"),
    "lists.json": (lambda: b"[" * 3_000_000, KERNEL, "3,000,000 lists", "at most 1,000,000"),
    "digits.json": (lambda: b"[" + b"9" * 400_000 + b"]", KERNEL, "got Infinity", "expected a number"),
    "header.npy": (lambda: b"\x93NUMPY\2\0\xff\xff\xff\xff" + bytes(99), FILTER, "header of 4,294,967,295 bytes", ""),
    "kernel_header.npy": (lambda: b"\x93NUMPY\2\0\xff\xff\xff\xff", KERNEL, "header of 4,294,967,295 bytes", ""),
    "array.npy": (lambda: bombs.npy_claiming((10**9, 10**9), "<f8"), KERNEL, "the limit is 4,000,000", ""),
    "digits.toml": (lambda: b"input = [" + b"9" * 400_000 + b"]", NETWORK, "400,000 characters", "at most 1,000"),
    "fraction.toml": (lambda: b"input = [0." + b"9" * 400_000 + b"]", NETWORK, "400,000 characters", "at most 1,000"),
    "hexadecimal.toml": (lambda: b"input = [0x" + b"f" * 99_999 + b"]", NETWORK, "100,001 characters", "at most 1,000"),
    "dots.toml": (lambda: b"a." * 50_000 + b"a = 1", NETWORK, "more than 200 dotted parts", ""),
    "spaced.toml": (lambda: b"a . 'a' . " * 20_000 + b"a = 1", NETWORK, "more than 200 dotted parts", ""),
    "long.json": (lambda: b'{"k": "' + b"x y" * 1_400_000 + b'"}', NETWORK, "longer than 4,000,000 bytes", ""),
    "long_words.json": (lambda: f'{{"k": "{"é " * 1_400_000}"}}'.encode(), NETWORK, "longer than 4,000,000 bytes", ""),
    "listed.json": (
        lambda: b'{"input": [9], "layers": [' + b"1, " * 20_000 + b"1]}",
        NETWORK,
        "layers: got 20,001",
        "at most 10,000",
    ),
    "connections.toml": (
        lambda: b'input = [9, 9, 1]\nlayers = [{type = "conv", connections = [' + b"[0]," * 99_999 + b"]}]",
        NETWORK,
        "connections: got",
        "for each filter",
    ),
    "metadata.safetensors": (
        lambda: bombs.safetensors_claiming({f"k{index}": "" for index in range(100_000)}),
        NETWORK,
        "100,000 texts",
        "at most 1,000",
    ),
    "tensors.safetensors": (
        lambda: bombs.safetensors(
            {f"t{n}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(99_999)}
        ),
        NETWORK,
        "got 399,996 keys in its header",
        "at most 200,000",
    ),
    "long_header.safetensors": (
        lambda: bombs.safetensors_claiming({"convcli": "[" * 25_000_000}),
        NETWORK,
        "bytes of metadata",
        "at most 25,000,000",
    ),
    "described.safetensors": (
        lambda: bombs.safetensors_claiming({"architecture": "a = 1\n" * 200_000}),
        NETWORK,
        "architecture: is longer than 1,000,000 bytes",
        "",
    ),
    "long.toml": (lambda: b"a = 1\n" * 400_000, NETWORK, "longer than 1,000,000 bytes", ""),
    "deep.toml": (lambda: b"a = " + b"[" * 100_000, NETWORK, "nested too deep", ""),
    "multiplying.toml": (bombs.toml_multiplying, NETWORK, "beyond 10^40 cells", "use smaller sizes and strides"),
    "fields.toml": (lambda: bombs.toml_multiplying("conv:1"), NETWORK, "beyond 10^40 cells", "smaller"),
    "branches.toml": (lambda: bombs.toml_branching(900), NETWORK, "beyond 10^40 cells", "smaller"),
    "words.toml": (
        lambda: b"input = [2]\nlayers = ['" + b"relu " * 20_000 + b"']",
        NETWORK,
        "20,000",
        "at most 10,000",
    ),
    "digits_of.json": (lambda: b'{"input": [' + b"9" * 400_000 + b"]}", NETWORK, "400,000 characters", "1,000"),
    "header.safetensors": (lambda: bombs.safetensors(b'{"a":' + b"[" * 999_999), NETWORK, "nested too deep", ""),
}

# Files with holes: nothing on the disk, and a terabyte to read.
HOLES = {
    "holes.png": (bombs.png()[:60], 10**12, FILTER, "file of 1,000,000,000,000 bytes", "--max-memory"),
    "holes.npy": (bombs.npy_claiming((10**5, 10**5)), 10**10 + 128, FILTER, "10000000000 pixels", "--max-pixels"),
    "signal_of_holes.npy": (
        bombs.npy_claiming((10**9,)),
        10**9 + 128,
        SIGNAL,
        "1000000000 x 1 samples",
        "--max-pixels",
    ),
    "holes.wav": (bombs.wav_claiming(1)[:44], 3 * 10**9, SIGNAL, "3000000000 x 1 samples", "--max-pixels"),
    "holes.csv": (b"1\n2\n", 10**12, SIGNAL, "table of 1,000,000,000,000 bytes", "--max-memory"),
    "holes.safetensors": (bombs.safetensors({}), 10**12, NETWORK, "has no architecture", ""),
}

PICTURE = str(Path(__file__).parent.parent.parent / "sample_images" / "cat.jpg")
OUT = ("-o", "out.png", "--overwrite")

# Words that make much of a small picture.
WORDS = {
    "pad": (("pad", PICTURE, "--amount", "100000000", *OUT), "result: got shape", "--max-memory"),
    "pad by a ring": (("pad", PICTURE, "--amount", "90000", "--max-memory", "9G", *OUT), "of memory", "--max-memory"),
    "padding": (("filter", PICTURE, "-k", "box", "--padding", "4000000", *OUT), "of memory", "--max-memory"),
    "full": (
        ("filter", PICTURE, "-k", "box", "--dilation", "2000000", "--padding", "full", *OUT),
        "of memory",
        "--max",
    ),
    "sigma": (("filter", PICTURE, "-k", "gaussian:sigma=1e9", *OUT), "sigma=1e9 is out of range", "expected"),
    "size": (("filter", PICTURE, "-k", "box:size=99999", *OUT), "9,999,800,001 weights", "the limit is 4,000,000"),
    "number": (("filter", PICTURE, "-k", "9" * 100_000, *OUT), "a number of 100,000 characters", "at most 1,000"),
    "axis": (("shape", "--input", "1" + "0" * 30), "expected one to four whole numbers", "1,000,000,000"),
    "filters": (("shape", "--input", "28x28x1", "conv:1000000000000"), "a whole number from 1 to 1,000,000,000", ""),
    "layers": (("shape", "--input", "9x9x1", *["conv_transpose:1,stride=999999999"] * 900), "beyond 10^40 cells", ""),
    "brackets": (("shape", "--input", "9x9x1", "[ " * 5000), "nested more than 8 deep", ""),
    "name": (("filter", PICTURE, "-k", "box", "-o", "{stem:999999999}.png"), "expected a width below 1000", ""),
    "memory": (("filter", PICTURE, "-k", "box", "--max-memory", "much", *OUT), "expected a size of at least 1M", ""),
}


def _sized():
    """Bytes of this process's address space."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def run_all(cases):
    """In the child: run the commands in turn, and print for each its name, exit code and what it said."""
    import io
    from contextlib import redirect_stderr, redirect_stdout

    import imagecodecs
    import tifffile  # noqa: F401
    from PIL import BmpImagePlugin, GifImagePlugin, WebPImagePlugin  # noqa: F401 (what is loaded counts before)

    from convcli.cli import run

    imagecodecs.png_encode, imagecodecs.jpeg8_decode  # noqa: B018 (loaded when they are first named)
    with redirect_stdout(io.StringIO()):
        run(["filter", PICTURE, "-k", "box", *OUT])
    limit = _sized() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    for name, arguments in cases:
        said = io.StringIO()
        with redirect_stdout(io.StringIO()), redirect_stderr(said):
            code = run(arguments)
        print(json.dumps([name, code, said.getvalue()]), flush=True)


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What the command line said to each bomb: name -> exit code, text."""
    folder = tmp_path_factory.mktemp("bombs")
    cases = []
    for name, (build, command, *_) in FILES.items():
        (folder / name).write_bytes(build())
        cases.append((name, [word.replace("{}", name) for word in command]))
    for name, (head, length, command, *_) in HOLES.items():
        with (folder / name).open("wb") as stream:
            stream.write(head)
            stream.truncate(length)
        cases.append((name, [word.replace("{}", name) for word in command]))
    cases += [(name, list(command)) for name, (command, *_) in WORDS.items()]
    child = subprocess.run(
        [sys.executable, __file__], input=json.dumps(cases), capture_output=True, text=True, cwd=folder, check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(["/".join(Path(bombs.__file__).parts[:-1]), *sys.path])},
    )  # fmt: skip
    found = {name: (code, text) for name, code, text in map(json.loads, child.stdout.splitlines())}
    return found, child.stderr


CASES = {name: case[-2:] for table in (FILES, HOLES, WORDS) for name, case in table.items()}


@pytest.mark.parametrize("name", CASES)
def test_is_refused_in_one_line(answers, name):
    found, stderr = answers
    assert name in found, stderr[-2000:]
    code, text = found[name]
    assert code in (1, 2), text
    assert text.startswith("Error: ") and text.count("\n") == 1, text[:2000]
    assert "internal error" not in text and len(text) < 600, text[:2000]
    for words in CASES[name]:
        assert words in text, text


if __name__ == "__main__":
    run_all(json.loads(sys.stdin.read()))
