"""Signals as files: WAV, CSV and NPY come out as they went in, and broken ones are one clear line."""

import io
import struct
import wave

import numpy as np
import pytest

from convcli.errors import ImageError
from convcli.images.signals import is_signal, read_signal, write_signal


def copied(path, tmp_path, **words):
    """The bytes of a signal that was read and written."""
    target = tmp_path / f"copy{path.suffix}"
    signal = read_signal(path)
    write_signal(signal, signal.samples, target, overwrite=True, **words)
    return target.read_bytes()


def wav(samples, bits, *, kind=1, rate=8000, extended=False, texts=b"", data_length=None):
    """A WAV file's bytes, put together without the code under test."""
    array = np.asarray(samples)
    channels = array.shape[1]
    sound = {
        8: lambda: (array + 128).astype("u1").tobytes(),
        16: lambda: array.astype("<i2").tobytes(),
        24: lambda: b"".join(int(each).to_bytes(3, "little", signed=True) for each in array.reshape(-1)),
        32: lambda: array.astype("<f4" if kind == 3 else "<i4").tobytes(),
        64: lambda: array.astype("<f8").tobytes(),
    }[bits]()
    frame = channels * bits // 8
    header = struct.pack("<HHIIHH", 0xFFFE if extended else kind, channels, rate, rate * frame, frame, bits)
    if extended:
        header += struct.pack("<HHIH", 22, bits, 3, kind) + bytes.fromhex("000000001000800000aa00389b71")
    body = b"WAVEfmt " + struct.pack("<I", len(header)) + header + texts
    body += b"data" + struct.pack("<I", len(sound) if data_length is None else data_length) + sound
    body += b"\0" * (len(sound) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


LIMITS = {8: 127, 16: 32767, 24: 2**23 - 1, 32: 2**31 - 1}


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
@pytest.mark.parametrize("extended", [False, True])
def test_pcm(tmp_path, rng, bits, extended):
    high = LIMITS[bits]
    samples = rng.integers(-high - 1, high, (101, 3), endpoint=True)
    samples[:2, 0] = -high - 1, high
    path = tmp_path / "v.wav"
    path.write_bytes(wav(samples, bits, extended=extended))
    signal = read_signal(path)
    assert signal.limits == (-high - 1, high)
    assert signal.sample_type == f"int{bits}"
    np.testing.assert_array_equal(signal.samples, samples)
    assert copied(path, tmp_path) == path.read_bytes()


@pytest.mark.parametrize("bits", [32, 64])
def test_floats(tmp_path, rng, bits):
    samples = rng.standard_normal((50, 2)).astype(f"f{bits // 8}")
    path = tmp_path / "v.wav"
    path.write_bytes(wav(samples, bits, kind=3))
    assert read_signal(path).samples.dtype == samples.dtype
    path.write_bytes(copied(path, tmp_path))
    np.testing.assert_array_equal(read_signal(path).samples, samples)


def test_the_standard_library_reads_what_is_written(tmp_path, rng):
    samples = rng.integers(-30000, 30000, (40, 2))
    path = tmp_path / "v.wav"
    path.write_bytes(wav(samples, 16, rate=44100))
    signal = read_signal(path)
    write_signal(signal, signal.samples[::2], tmp_path / "w.wav", stride=2)
    with wave.open(str(tmp_path / "w.wav")) as file:
        assert file.getparams()[:4] == (2, 2, 22050, 20)
        np.testing.assert_array_equal(np.frombuffer(file.readframes(99), "<i2").reshape(-1, 2), samples[::2])


def test_texts_are_kept_or_stripped(tmp_path):
    path = tmp_path / "v.wav"
    path.write_bytes(wav([[1], [2]], 16, texts=b"LIST" + struct.pack("<I", 4) + b"INFO"))
    assert b"LIST" in copied(path, tmp_path)
    assert b"LIST" not in copied(path, tmp_path, strip=True)


def test_a_length_not_known_yet_goes_to_the_end(tmp_path):
    path = tmp_path / "v.wav"
    path.write_bytes(wav([[1], [2]], 16, data_length=0xFFFFFFFF))
    assert read_signal(path).samples[:, 0].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("text", "samples"),
    [
        ("1\n2.5\n-3e2\n", [[1], [2.5], [-300]]),
        ("a,b\n1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("# by someone\n\na;b\n1,5;2\n3;4,25\n", [[1.5, 2], [3, 4.25]]),
        ("1\t2\n3\t4\n", [[1, 2], [3, 4]]),
        ("time (s),u\n0,5\n1,6\n", [[5], [6]]),
        ("2020-01-01,5\n2020-01-02,6\n", [[5], [6]]),
        ("t,T\r\n0,5\r\n1,6\r\n", [[5], [6]]),
        ('"a, long",b\n1,2\n3,4\n', [[1, 2], [3, 4]]),
    ],
)
def test_tables(tmp_path, text, samples):
    path = tmp_path / "v.csv"
    path.write_bytes(text.encode())
    assert read_signal(path).samples.tolist() == samples
    assert copied(path, tmp_path).decode() == text.replace("\n\na;b", "\na;b").replace("-3e2", "-300")


def test_spaces_and_a_mark_at_the_beginning(tmp_path):
    path = tmp_path / "v.csv"
    path.write_bytes(b"\xef\xbb\xbfa  b\n 1   2\n 3  4\n")
    assert read_signal(path).samples.tolist() == [[1, 2], [3, 4]]
    assert copied(path, tmp_path) == b"\xef\xbb\xbfa b\n1 2\n3 4\n"


def test_numbers_are_written_with_all_their_digits(tmp_path, rng):
    path = tmp_path / "v.csv"
    path.write_text("0\n" * 100)
    values = rng.standard_normal((100, 1)) * 10.0 ** rng.integers(-300, 300, (100, 1))
    write_signal(read_signal(path), values, tmp_path / "w.csv")
    np.testing.assert_array_equal(read_signal(tmp_path / "w.csv").samples, values)


def test_columns_that_are_kept_go_by_position(tmp_path):
    path = tmp_path / "v.csv"
    path.write_text("index,u,who\n7,1,a\n8,2,b\n9,3,c\n")
    signal = read_signal(path)
    assert signal.kept == ("index", "who")
    samples, positions = np.array([[10.0], [20.0], [0.5]]), np.array([-1, 0, 2])
    write_signal(signal, samples, tmp_path / "w.csv", positions=positions)
    assert (tmp_path / "w.csv").read_text() == "index,u,who\n,10,\n7,20,a\n9,0.5,c\n"


def test_empty_cells_and_counting_columns_are_told(tmp_path):
    path = tmp_path / "v.csv"
    path.write_text("a,b\n1,\n2,4\n")
    signal = read_signal(path)
    assert np.isnan(signal.samples[0, 1])
    assert signal.warnings == ("1 missing cell of b became NaN",)
    path.write_text("1,5\n2,7\n3,6\n4,6\n")
    assert "column 0 rises evenly" in read_signal(path).warnings[0]


@pytest.mark.parametrize("shape", [(9,), (9, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", ">f8"])
def test_npy(tmp_path, rng, shape, dtype):
    array = (rng.standard_normal(shape) * 100).astype(dtype)
    np.save(tmp_path / "v.npy", array)
    got = np.load(io.BytesIO(copied(tmp_path / "v.npy", tmp_path)))
    assert got.dtype == ("float32" if dtype == "float32" else "float64")
    np.testing.assert_array_equal(got, array)


def test_what_can_only_be_a_signal(tmp_path):
    np.save(tmp_path / "one.npy", np.zeros(5))
    np.save(tmp_path / "two.npy", np.zeros((5, 2)))
    names = ("one.npy", "two.npy", "a.wav", "B.CSV", "c.png", "missing.npy", "-")
    assert [is_signal(tmp_path / name) for name in names] == [True, False, True, True, False, False, False]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("v.wav", wav([[1], [2]], 16)[:-2], "truncated WAV: it has 46 bytes, expected at least 48"),
        ("v.wav", wav([[1], [2]], 16)[:30], "truncated WAV"),
        ("v.wav", wav([[1]], 16)[:38], "holds no sound"),
        ("v.wav", wav(np.zeros((0, 1)), 16), "0 samples"),
        ("v.wav", wav([[1]], 16, kind=17), r"coding 17 \(IMA ADPCM\) and 16 bits"),
        ("v.wav", wav([[1]], 16, rate=0), "1 channels at 0 Hz"),
        ("v.wav", wav([[1]], 16).replace(struct.pack("<I", 8000), b"\xff" * 4), "1 channels at 4294967295 Hz"),
        ("v.wav", b"RF64" + bytes(50), "got a RF64 file"),
        ("v.csv", b"", "is empty"),
        ("v.csv", b"\n\n# nothing\n", "holds no number"),
        ("v.csv", b"a,b\n", "holds a header row only"),
        ("v.csv", b"a,b\n1,2\n3\n", "line 3: got 1 cells, expected 2"),
        ("v.csv", b"time,b\n1,2\n3,x\n", "holds no column of numbers to filter.*: b has text in line 3"),
        ("v.csv", b"time,date\n1,2\n", "no column of numbers to filter"),
        ("v.csv", b"1,\xe9\n", "no text at position 2, expected a CSV in UTF-8"),
        ("v.csv", b"\x89PNG\0\0", "no text"),
        ("v.npy", b"\x93NUMPY\1\0", "damaged NPY"),
    ],
)
def test_a_broken_signal_is_one_line(tmp_path, name, data, message):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ImageError, match=message) as caught:
        read_signal(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_limits(tmp_path):
    np.save(tmp_path / "v.npy", np.zeros(50))
    with pytest.raises(ImageError, match="--max-pixels 50"):
        read_signal(tmp_path / "v.npy", max_samples=49)
    np.save(tmp_path / "v.npy", np.zeros((2, 3, 4)))
    with pytest.raises(ImageError, match="expected a signal"):
        read_signal(tmp_path / "v.npy")
    np.save(tmp_path / "v.npy", np.zeros(4))
    with pytest.raises(ImageError, match=r"got \.wav for a NPY signal, expected \.npy"):
        write_signal(read_signal(tmp_path / "v.npy"), np.zeros((4, 1)), tmp_path / "v.wav")


@pytest.mark.parametrize("dtype", ["int64", "uint64", ">i8"])
def test_whole_numbers_that_floats_do_not_hold_stay_what_they_are(tmp_path, dtype):
    array = np.array([2**53 + 1, 2**63 - 1, 0], dtype)
    np.save(tmp_path / "v.npy", array)
    got = np.load(io.BytesIO(copied(tmp_path / "v.npy", tmp_path)))
    assert got.tolist() == array.tolist()
    assert got.dtype == array.dtype.newbyteorder("=")
    np.save(tmp_path / "v.npy", np.array([2**53, -(2**53)]))
    assert read_signal(tmp_path / "v.npy").samples.dtype == "float64"


def test_a_second_array_in_a_file_is_told(tmp_path):
    with (tmp_path / "v.npy").open("wb") as file:
        np.save(file, np.ones(3))
        np.save(file, np.zeros(3))
    signal = read_signal(tmp_path / "v.npy")
    assert signal.samples[:, 0].tolist() == [1, 1, 1]
    assert signal.warnings == ("left out: 152 bytes behind its array",)


@pytest.mark.parametrize(("start", "name"), [(b"fLaC\0", "FLAC"), (b"ID3\3", "MP3"), (b"FORM\0\0\0\x40AIFF", "AIFF")])
def test_other_sounds_are_called_by_their_names(start, name):
    with pytest.raises(ImageError, match=f"got a sound in {name}, expected WAV, CSV or NPY; convert it to WAV first"):
        read_signal(io.BytesIO(start + bytes(60)))


def test_channels_may_be_the_rows_of_an_array(convcli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = np.arange(60.0).reshape(3, 20) ** 2
    np.save("rows.npy", rows)
    np.save("columns.npy", rows.T)
    assert convcli("filter", "rows.npy", "-k", "box:3", "--axes", "cx", "-o", "a.npy").err == ""
    assert convcli("filter", "columns.npy", "-k", "box:3", "--axes", "x", "-o", "b.npy").err == ""
    np.testing.assert_array_equal(np.load("a.npy"), np.load("b.npy").T)
    told = convcli("filter", "rows.npy", "-k", "box:3", "--axes", "x", "-o", "c.npy").err
    assert told == "Warning: got 3 moments of 20 channels; --axes cx takes the rows of an array for channels\n"
    (tmp_path / "t.csv").write_text("1\n2\n3\n")
    assert "got axes cx for CSV, expected an array" in convcli("filter", "t.csv", "-k", "box", "--axes", "cx").err


def test_words_for_stacks_are_none_for_signals(convcli, tmp_path):
    np.save(tmp_path / "a.npy", np.arange(9.0))
    for words, said in ((("--channel", "0"), "--channel or --time"), (("--each-plane",), "--each-plane")):
        result = convcli("filter", tmp_path / "a.npy", "-k", "box", *words)
        assert result.code == 2 and f"a.npy with {said}, which choose of stacks" in result.err
    assert "try sobel-x" in convcli("filter", tmp_path / "a.npy", "-k", "sobel").err
