"""`convcli filter` as people type it: files, options, errors, exit codes. Pixels are tests/jobs/test_filter.py's."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

SAMPLES = Path(__file__).parent.parent.parent / "sample_images"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save(name, array, **words):
    """An array as a picture file."""
    Image.fromarray(array).save(name, **words)
    return name


def opened(name):
    """A picture file, loaded and closed again."""
    with Image.open(name) as image:
        image.load()
        return image


@pytest.fixture
def photo(folder, rng):
    """A small JPEG beside which outputs go."""
    return save("photo.jpg", rng.integers(0, 256, (20, 30, 3), np.uint8), quality=93)


def test_a_photo_sharpened_beside_itself(convcli, folder):
    Path("photo.jpg").write_bytes((SAMPLES / "portrait.jpg").read_bytes())
    result = convcli("filter", "photo.jpg", "-k", "sharpen")
    assert (result.code, result.out) == (0, "photo_sharpen.jpg\n")
    before, after = opened("photo.jpg"), opened("photo_sharpen.jpg")
    assert after.size == before.size[::-1]
    assert before.getexif()[274] == 6
    assert after.getexif()[274] == 1
    assert after.quantization == before.quantization


def test_profile_exif_and_resolution_are_kept_or_stripped(convcli, folder):
    sample = SAMPLES / "cat.jpg"
    convcli("filter", sample, "-k", "box", "-o", "kept.jpg")
    convcli("filter", sample, "-k", "box", "-o", "bare.jpg", "--strip")
    before, kept, bare = opened(sample), opened("kept.jpg"), opened("bare.jpg")
    assert kept.info["icc_profile"] == before.info["icc_profile"]
    assert kept.getexif()[0x013B] == before.getexif()[0x013B]
    assert kept.info["dpi"] == before.info["dpi"]
    assert "icc_profile" not in bare.info
    assert not bare.getexif()
    assert kept.quantization == bare.quantization == before.quantization


def test_a_profile_that_does_not_fit_grey_is_left_out_with_a_warning(convcli, folder):
    sample = SAMPLES / "cat.jpg"
    result = convcli("filter", sample, "-k", "box", "--channels", "gray", "-o", "grey.jpg")
    assert result.code == 0 and "icc_profile" not in opened("grey.jpg").info
    assert result.err == "Warning: the result is grey: the input's colour profile, for RGB, was left out\n"
    quiet = convcli("filter", sample, "-k", "box", "--channels", "gray", "-o", "bare.jpg", "--strip")
    assert (quiet.code, quiet.err) == (0, "")


def test_sixteen_bit_png_stays_sixteen_bit(convcli, folder, rng):
    pixels = rng.integers(0, 65536, (9, 11, 3), np.uint16)
    Path("deep.png").write_bytes(imagecodecs.png_encode(pixels))
    assert convcli("filter", "deep.png", "-k", "identity", "-o", "same.png").code == 0
    assert (imagecodecs.png_decode(Path("same.png").read_bytes()) == pixels).all()


def test_json_is_one_document(convcli, photo):
    Path("broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    result = convcli("filter", photo, "broken.png", "-k", "sobel", "-o", "out/", "--json")
    assert result.code == 1
    document = json.loads(result.out)
    (done,) = document["files"]
    assert done["input"] == "photo.jpg"
    assert done["output"] == str(Path("out/photo_sobel.jpg"))
    assert done["shape"] == [20, 30, 3]
    assert done["range"] == "abs"
    assert [error["input"] for error in document["errors"]] == ["broken.png"]
    assert "1 written, 1 failed" in result.err


def test_two_hundred_pictures_one_of_them_corrupt(convcli, folder, rng):
    Path("in").mkdir()
    for i in range(200):
        save(f"in/{i:03d}.png", rng.integers(0, 256, (8, 9, 3), np.uint8))
    Path("in/117.png").write_bytes(Path("in/117.png").read_bytes()[:60])
    result = convcli("filter", "in", "-k", "sharpen", "-o", "out/")
    assert result.code == 1
    assert len(list(Path("out").iterdir())) == 199
    assert len(result.out.splitlines()) == 199
    errors = [line for line in result.err.splitlines() if line.startswith("Error:")]
    assert len(errors) == 1
    assert "117.png" in errors[0]
    assert "199 written, 1 failed" in result.err
    again = convcli("filter", "in", "-k", "sharpen", "-o", "out/", "--skip-existing")
    assert "0 written, 1 failed, 199 skipped" in again.err


def test_several_kernels_are_a_chain(convcli, photo):
    result = convcli("filter", photo, "-k", "gaussian:sigma=1", "-k", "sobel-x", "--range", "offset")
    assert result.out == "photo_gaussian_sobel-x.jpg\n"


def test_a_matrix_that_starts_with_a_minus(convcli, photo):
    for words in (["-k", "-1 0 1"], ["-k", "-1,0,1"], ["--kernel", "-1 0 1"], ["--kernel=-1 0 1"]):
        assert convcli("filter", photo, *words, "-o", "m.png", "--overwrite", "--bias", "-3").code == 0, words


def test_a_kernel_from_a_file(convcli, photo):
    Path("mine.csv").write_text("0,1,0\n1,-4,1\n0,1,0\n")
    convcli("filter", photo, "-k", "mine.csv", "-o", "a.png")
    convcli("filter", photo, "-k", "laplacian", "-o", "b.png")
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_threads_do_not_change_a_byte(convcli, photo):
    for threads in (1, 2):
        convcli("filter", photo, "-k", "gaussian:sigma=3", "-o", f"{threads}.png", "--threads", threads)
    assert Path("1.png").read_bytes() == Path("2.png").read_bytes()


def test_standard_input_and_output(photo):
    command = [sys.executable, "-m", "convcli", "filter", "-", "-k", "emboss", "-o", "-", "--format", "png"]
    with Path(photo).open("rb") as stdin:
        result = subprocess.run(command, stdin=stdin, capture_output=True, check=True)
    assert result.stdout.startswith(b"\x89PNG")


def test_a_named_pipe_is_read_once(convcli, photo):
    os.mkfifo("pipe")
    writer = threading.Thread(target=Path("pipe").write_bytes, args=(Path(photo).read_bytes(),), daemon=True)
    writer.start()
    assert convcli("filter", "pipe", "-k", "box", "-o", "a.png").code == 0
    writer.join()
    convcli("filter", photo, "-k", "box", "-o", "b.png")
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    for source, words, message in (
        (
            "pipe",
            ("-o", "results/"),
            "got results/ for pipe, whose format is not known before it is read, expected a name",
        ),
        ("-", ("-o", "results/"), "got results/ for standard input, whose format"),
        ("pipe", ("--axes", "zyx", "-k", "box3d", "-o", "a.npy"), "pipe: is a pipe, expected a file"),
    ):
        result = convcli("filter", source, *(words if "-k" in words else ("-k", "box", *words)))
        assert result.code and message in result.err, result.err


def test_a_closed_pipe_is_no_error(folder):
    command = f"{sys.executable} -m convcli kernel list | head -1"
    result = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False)
    assert result.stderr == ""
    assert result.returncode == 0
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            command.split(" | ")[0].split(), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (result.returncode, result.stderr) == (1, "Error: standard output: No space left on device\n")


def make_bad_inputs():
    """Ten files that are no pictures, or not whole ones."""
    save("good.png", np.zeros((30, 30, 3), np.uint8))
    Path("empty.png").write_bytes(b"")
    Path("truncated.png").write_bytes(Path("good.png").read_bytes()[:-30])
    Path("text.png").write_text("this is not a picture")
    Path("folder.png").mkdir()
    save("whole.jpg", np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    Path("truncated.jpg").write_bytes(Path("whole.jpg").read_bytes()[:-900])
    np.save("cube.npy", np.zeros((3, 4, 5, 6)))
    np.save("zero.npy", np.zeros((0, 5), np.uint8))
    np.save("objects.npy", np.array([{}], dtype=object))
    save("huge.png", np.zeros((50, 50), np.uint8))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.png", "missing.png"),
        ("empty.png", "empty"),
        ("truncated.png", "truncated"),
        ("text.png", "text.png"),
        ("folder.png", "holds no picture"),
        ("truncated.jpg", "truncated"),
        ("cube.npy", "cube.npy"),
        ("zero.npy", "zero.npy"),
        ("objects.npy", "objects.npy"),
        ("huge.png", "--max-pixels"),
    ],
)
def test_a_bad_input_is_one_clear_line_and_no_output(convcli, folder, name, message):
    make_bad_inputs()
    before = sorted(path.name for path in folder.iterdir())
    result = convcli("filter", name, "-k", "box", "--max-pixels", 1000)
    assert result.code == (2 if name == "folder.png" else 1)
    assert result.out == ""
    assert result.err.startswith("Error: ")
    assert result.err.count("\n") == 1
    assert message in result.err
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["photo.jpg"], "Missing option '-k'"),
        (["-k", "box"], "Missing argument 'INPUT...'"),
        (["photo.jpg", "-k", "1 2; 3"], "kernel row 1 has 1 number, expected 2 as in row 0"),
        (["photo.jpg", "-k", "shrpen"], "sharpen"),
        (["photo.jpg", "-k", "box:size=0"], "size"),
        (["photo.jpg", "-k", "box", "--stride", "0"], "expected numbers of at least 1"),
        (["photo.jpg", "-k", "box", "--stride", "2x2x2"], "got 3 numbers"),
        (["photo.jpg", "-k", "box", "--padding", "some"], "expected same, valid, full, N or N,M"),
        (["photo.jpg", "-k", "box", "--border", "rim"], "expected reflect, symmetric"),
        (["photo.jpg", "-k", "box", "--format", "docx"], "format: got 'docx'"),
        (["photo.jpg", "-k", "box", "-o", "photo.jpg"], "is also an input"),
        (["photo.jpg", "-k", "box", "--bias", "nan"], "bias: got nan"),
        (["photo.jpg", "-k", "box", "--threads", "0"], "--threads"),
        (["photo.jpg", "-k", "box", "-o", "-", "--json"], "got both --json"),
        (["photo.jpg", "-k", "box", "--overwrite", "--skip-existing"], "got both"),
        (["photo.jpg", "-k", "box", "--rnage", "abs"], "--range"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(convcli, photo, words, message):
    result = convcli("filter", *words)
    assert result.code == 2
    assert result.out == "" or "--json" in words
    assert result.err.startswith("Error: ")
    assert result.err.count("\n") == 1
    assert message in result.err


def test_an_output_that_cannot_be_is_failed_work(convcli, photo):
    for words, message in (
        (["-o", "nowhere/out.png"], "does not exist"),
        (["-o", "out.png", "--depth", "float"], "add --depth 8 or 16"),
        (["--padding", "valid", "-o", "out.png", "-k", "box:size=99"], "padding 'same' fits any kernel"),
    ):
        result = convcli("filter", photo, "-k", "box", *words)
        assert (result.code, result.out) == (1, ""), words
        assert message in result.err
        assert result.err.count("\n") == 1
    assert not Path("out.png").exists()


@pytest.mark.parametrize("name", ["out.docx", "out", "{stem}-{kernel}.docx"])
def test_a_suffix_that_no_format_has_is_wrong_usage(convcli, photo, name):
    result = convcli("filter", photo, "-k", "box", "-o", name)
    assert (result.code, result.out) == (2, "")
    assert "expected one of" in result.err and result.err.count("\n") == 1


def test_a_dilation_that_would_fill_the_memory_is_refused(convcli, photo):
    result = convcli("filter", photo, "-k", "box:size=5", "--dilation", 100000, "-o", "out.png")
    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert "kernel: spans 400001 x 400001 cells, dilation included" in result.err
    assert "use a smaller dilation" in result.err and not Path("out.png").exists()


def test_the_debug_switch_shows_the_traceback(folder):
    environment = {**os.environ, "CONVCLI_DEBUG": "1"}
    command = [sys.executable, "-m", "convcli", "kernel", "show", "box:size=x"]
    assert b"Traceback" not in subprocess.run(command, capture_output=True, check=False).stderr
    debugged = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert debugged.returncode != 0


def save_many(count, pixels):
    """The same picture under many names, encoded once."""
    save("000.png", pixels)
    for i in range(1, count):
        os.link("000.png", f"{i:03d}.png")


def test_interrupting_ends_with_130(folder, rng):
    save_many(300, rng.integers(0, 256, (300, 300, 3), np.uint8))
    command = [sys.executable, "-m", "convcli", "filter", ".", "-k", "gaussian:sigma=3", "-o", "out/"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(2)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert not [path for path in Path("out").iterdir() if path.name.startswith(".")]


def test_kill_leaves_no_partial_file_under_a_final_name(folder, rng):
    save_many(60, rng.integers(0, 256, (400, 400, 3), np.uint8))
    command = [sys.executable, "-m", "convcli", "filter", ".", "-k", "box", "-o", "out/"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    for path in Path("out").glob("[!.]*"):
        assert np.asarray(opened(path)).shape == (400, 400, 3)
