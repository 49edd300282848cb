"""The SPEC grammar: what is read, and what every refusal says."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from convcli.errors import KernelError
from convcli.kernels import LIBRARY, flipped, kernel, normalized, parse_kernel
from convcli.kernels.matrices import format_matrix, read_matrix

NUMBER = "expected a number such as 2, -0.5, 1e-3 or 1/9"


def refusal(spec):
    with pytest.raises(KernelError) as caught:
        parse_kernel(spec)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 400, "an error is one line"
    return message


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("0 -1 0; -1 5 -1; 0 -1 0", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        ("1,2;3,4", [[1, 2], [3, 4]]),
        ("1, 2 ; 3 ,4;", [[1, 2], [3, 4]]),
        ("1 2\n3 4\n", [[1, 2], [3, 4]]),
        ("1 2;\n3 4;\n", [[1, 2], [3, 4]]),
        ("1 0 -1", [[1, 0, -1]]),
        ("7", [[7]]),
        ("-1", [[-1]]),
        ("1;2", [[1], [2]]),
        ("1/9 -2/4 +.5", [[1 / 9, -0.5, 0.5]]),
        ("1e-3 1E2 2. -0", [[0.001, 100, 2, 0]]),
        ("1 0 −1", [[1, 0, -1]]),  # the minus sign of slides
        ("[[1, 2], [3, 4]]", [[1, 2], [3, 4]]),
        ("[1 2; 3 4]", [[1, 2], [3, 4]]),
        ("[1, 2]", [[1, 2]]),
        (".5 1", [[0.5, 1]]),
    ],
)
def test_matrices(text, rows):
    built = parse_kernel(text)
    assert (built.name, built.combine, built.entry) == ("matrix", "single", None)
    assert built.weights.tolist() == rows
    assert not np.signbit(built.weights[built.weights == 0]).any()
    assert parse_kernel(built.spec).weights.tolist() == rows


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("1 2; 3 4 | 5 6; 7 8", (2, 2, 2)),
        ("1|2|3", (3, 1, 1)),
        ("1 2 |", (1, 1, 2)),
        ("[[[1, 2]], [[3, 4]]]", (2, 1, 2)),
    ],
)
def test_planes(text, shape):
    built = parse_kernel(text)
    assert built.weights.shape == shape and built.ndim == 3
    np.testing.assert_array_equal(parse_kernel(built.spec).weights, built.weights)


@given(
    arrays.arrays(
        np.float64,
        arrays.array_shapes(min_dims=2, max_dims=3, max_side=5),
        elements=st.floats(-1e30, 1e30),
    )
)
def test_a_written_matrix_reads_back_exactly(weights):
    again = read_matrix(format_matrix(weights))
    assert again.shape == weights.shape
    np.testing.assert_array_equal(again, weights)


@pytest.mark.parametrize("name", LIBRARY)
def test_the_canonical_spec_gives_the_kernel_again(name):
    built = parse_kernel(name)
    again = parse_kernel(built.spec)
    assert again.spec == built.spec and again.name == built.name
    for plane, other in zip(again.planes, built.planes, strict=True):
        np.testing.assert_array_equal(plane, other)


@pytest.mark.parametrize(
    ("spec", "canonical"),
    [
        ("gaussian:sigma=2", "gaussian:sigma=2,size=17"),
        ("gaussian:sigma=1/2,size=3x5", "gaussian:sigma=0.5,size=3x5"),
        ("Gaussian : SIGMA = 2 , size = 5", "gaussian:sigma=2,size=5"),
        ("gaussian:sigma=1x2", "gaussian:sigma=1x2,size=9x17"),
        ("gaussian:sigma=2,truncate=2", "gaussian:sigma=2,size=9"),
        ("box", "box:size=3"),
        ("moving_average:size=4X2", "box:size=4x2"),
        ("SOBEL_X", "sobel-x"),
        ("  sharpen  ", "sharpen"),
        ("1,2;3,4", "1 2; 3 4"),
    ],
)
def test_canonical_specs(spec, canonical):
    assert parse_kernel(spec).spec == canonical


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "kernel is empty: expected a name, a matrix or a file; see: convcli kernel list"),
        (" \n ", "kernel is empty: expected a name, a matrix or a file; see: convcli kernel list"),
        ("1 2 3; 4 5; 6 7 8", "kernel row 1 has 2 numbers, expected 3 as in row 0"),
        ("1 2; 3", "kernel row 1 has 1 number, expected 2 as in row 0"),
        ("1 2 x; 4 5 6", f"kernel row 0, column 2: got 'x', {NUMBER}"),
        ("1 nan", f"kernel row 0, column 1: got 'nan', {NUMBER}"),
        ("-inf 1", f"kernel row 0, column 0: got '-inf', {NUMBER}"),
        ("1 1e999", "kernel row 0, column 1: 1e999 is too large: weights go up to 1e30"),
        ("1 2; 1/0 3", "kernel row 1, column 0: 1/0 divides by zero"),
        ("1/3/3", f"kernel row 0, column 0: got '1/3/3', {NUMBER}"),
        ("1 / 9", f"kernel row 0, column 1: got '/', {NUMBER} (a fraction has no spaces: 1/9)"),
        ("1_0 2", f"kernel row 0, column 0: got '1_0', {NUMBER}"),
        ("0x10", f"kernel row 0, column 0: got '0x10', {NUMBER}"),
        ("1,,2", "kernel row 0, column 1 is empty: a comma has no number beside it"),
        ("1,2,;3,4", "kernel row 0, column 2 is empty: a comma has no number beside it"),
        ("1;;2", "kernel row 1 is empty"),
        (";", "kernel is empty: expected rows of numbers such as 0 -1 0; -1 5 -1; 0 -1 0"),
        ("| 1", "kernel plane 0 is empty: expected rows of numbers such as 0 -1 0; -1 5 -1; 0 -1 0"),
        ("1 2 | 3", "kernel plane 1 has 1x1 numbers, expected 1x2 as in plane 0"),
        ("1 2 | 3 y", f"kernel plane 1, row 0, column 1: got 'y', {NUMBER}"),
        ("1 2 | 3 4; 5", "kernel plane 1, row 1 has 1 number, expected 2 as in row 0"),
        ("[[1, 2], [3]]", "kernel row 1 has 1 number, expected 2 as in row 0"),
        ("[[1, true]]", f"kernel row 0, column 1: got true, {NUMBER}"),
        ("[[]]", "kernel row 0 is empty or no list of numbers"),
        (
            "[[1, 2]",
            "kernel is not valid JSON at line 1, column 8 (Expecting ',' delimiter); expected [[1, 2], [3, 4]]",
        ),
        ("[[[[1]]]]", "kernel holds lists nested 4 deep, expected rows of numbers [[1, 2], [3, 4]], or planes of rows"),
        (
            "soble-x",
            "kernel: no kernel or file is named 'soble-x'; did you mean sobel-x? All names: convcli kernel list",
        ),
        (
            "sobel x",
            "kernel: no kernel or file is named 'sobel x'; did you mean sobel-x? All names: convcli kernel list",
        ),
        ("xyzzy", "kernel: no kernel or file is named 'xyzzy'. All names: convcli kernel list"),
        (
            "gaussian;sigma=2",
            "kernel: no kernel or file is named 'gaussian;sigma=2'; did you mean gaussian? "
            "Parameters follow a colon: gaussian:sigma=VALUE. All names: convcli kernel list",
        ),
        ("sobel:size=5", "kernel sobel: unknown parameter 'size'; sobel takes no parameters"),
        ("box:sise=5", "kernel box: unknown parameter 'sise'; box takes size=3"),
        (
            "gaussian:radius=5",
            "kernel gaussian: unknown parameter 'radius'; gaussian takes sigma=1, truncate=4, size=auto",
        ),
        ("box:", "kernel box, parameter 1: got '', expected param=value; box takes size=3"),
        ("box:-5", "kernel box: size=-5 is out of range: expected 1 to 4000000"),
        (
            "gaussian:2,3",
            "kernel gaussian, parameter 2: got '3', expected param=value (values per axis are written 3x5); "
            "gaussian takes sigma=1, truncate=4, size=auto",
        ),
        ("sobel:3", "kernel sobel, parameter 1: got '3', expected param=value; sobel takes no parameters"),
        ("box:size", "kernel box, parameter 1: got 'size', expected param=value; box takes size=3"),
        ("box:size=", "kernel box, parameter 1: got 'size=', expected param=value; box takes size=3"),
        (
            "box:size=3,5",
            "kernel box, parameter 2: got '5', expected param=value (values per axis are written 3x5); "
            "box takes size=3",
        ),
        ("gaussian:sigma=1,sigma=2", "kernel gaussian: sigma is given twice"),
        (
            "gaussian:size=3,truncate=2",
            "kernel gaussian: truncate sets the size, so give one of size and truncate, not both",
        ),
        ("gaussian:sigma=0", "kernel gaussian: sigma=0 is out of range: expected 0.05 to 1000"),
        (
            "gaussian:sigma=nan",
            "kernel gaussian: sigma=nan is not a number; expected a number from 0.05 to 1000, "
            "as in sigma=1 or sigma=3x5",
        ),
        (
            "box:size=2.5",
            "kernel box: size=2.5 is not a whole number; expected a whole number from 1 to 4000000, "
            "as in size=3 or size=3x5",
        ),
        ("box:size=1x2x3", "kernel box: size=1x2x3 has 3 values, expected one, or 2 (as in size=3 or size=3x5)"),
        ("box:size=3000", "kernel box: size=3000 has 9,000,000 weights; the limit is 4,000,000 (2000x2000)"),
        ("gaussian:sigma=900", "kernel gaussian: size=7201 has 51,854,401 weights; the limit is 4,000,000 (2000x2000)"),
        (
            "dog:sigma=1,sigma2=1",
            "kernel dog: every weight is zero for sigma=1,sigma2=1,size=9; choose other parameters",
        ),
        ("nowhere.txt", "kernel file nowhere.txt: no such file"),
        ("./nowhere", "kernel file ./nowhere: no such file"),
    ],
)
def test_refusals(spec, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refusal(spec) == message


@pytest.mark.parametrize(
    "spec", ["a" * 5000, "\x1b[31m", "1 " + "y" * 5000, "box:" + "z" * 5000, "\0", "x\0.txt", "box:size=\x1b"]
)
def test_hostile_text_stays_on_one_short_line(spec):
    message = refusal(spec)
    assert message.isprintable(), message


def test_no_text_at_all():
    with pytest.raises(KernelError, match="got int, expected a text"):
        parse_kernel(3)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_in_one_line(text):
    try:
        parse_kernel(text)
    except KernelError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("entry", [each for each in LIBRARY.values() if each.parameters], ids=lambda entry: entry.name)
def test_the_ends_of_every_range_are_reached_or_refused_in_words(entry):
    for parameter in entry.parameters:
        for value in (parameter.minimum, parameter.maximum):
            try:
                built = parse_kernel(f"{entry.name}:{parameter.name}={value}")
            except KernelError as error:
                known = (
                    "weights; the limit",
                    "every weight is zero",
                    "expected at most high",
                    "for 9 pixels",
                    "for 27 pixels",
                )
                assert any(words in str(error) for words in known)
            else:
                assert all(np.isfinite(plane).all() for plane in built.planes)
        for value in (parameter.minimum - 1, parameter.maximum + 1):
            assert "is out of range" in refusal(f"{entry.name}:{parameter.name}={value}")


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("k.txt", "1 2 1\n2 4 2\n"),
        ("k.txt", "# a comment\n1 2 1  # and another\n\n2 4 2"),
        ("k.txt", "\ufeff1 2 1;\r\n2 4 2\r\n"),
        ("k.txt", "1 2 1; 2 4 2"),
        ("k.csv", "1,2,1\n2,4,2\n"),
        ("k.csv", "1;2;1\n2;4;2\n"),
        ("K.CSV", "1;2;1;\n2;4;2;\n"),
        ("k.json", "[[1, 2, 1], [2, 4, 2]]"),
        ("k.json", '{"weights": [[1, 2, 1], [2, 4, 2]]}'),
        ("no-ending", "1 2 1\n2 4 2\n"),
    ],
)
def test_text_files(tmp_path, name, text):
    path = write(tmp_path / name, text)
    built = parse_kernel(path)
    assert built.weights.tolist() == [[1, 2, 1], [2, 4, 2]]
    assert built.name.lower() in ("k", "no-ending") and built.spec == path


def test_volume_files(tmp_path):
    expected = [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    for name, text in (("v.txt", "1 2\n3 4\n|\n5 6\n7 8\n"), ("v.json", json.dumps(expected))):
        assert kernel(write(tmp_path / name, text)).tolist() == expected


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "float32", "float64", "bool", ">f8"])
def test_arrays_of_every_real_type(tmp_path, dtype):
    weights = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)
    np.save(tmp_path / "k.npy", np.asfortranarray(weights))
    found = kernel(str(tmp_path / "k.npy"))
    assert found.dtype == np.float64 and found.tolist() == [[0, 1, 1], [1, 0, 1]]


def test_file_names_are_safe(tmp_path):
    assert parse_kernel(write(tmp_path / "my kernel (2).txt", "1")).name == "my-kernel-2"


def test_a_path_is_no_matrix_whatever_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "kernel 2;3", "7")
    assert parse_kernel("./kernel 2;3").weights.tolist() == [[7]]
    assert parse_kernel(str(tmp_path / "kernel 2;3")).weights.tolist() == [[7]]


def test_a_name_of_the_library_wins_over_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "box", "7")
    assert parse_kernel("box").name == "box" and parse_kernel("box").weights.shape == (3, 3)
    assert parse_kernel("./box").weights.tolist() == [[7]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("k.txt", b"", "is empty"),
        ("k.txt", b" \n", "is empty"),
        ("k.txt", b"# only a comment\n", "is empty: expected rows of numbers such as 0 -1 0; -1 5 -1; 0 -1 0"),
        ("k.txt", b"1 2\n3 z\n", f": row 1, column 1: got 'z', {NUMBER}"),
        ("k.txt", b"\x00\x01\xff\xfe", "is not text; expected rows of numbers, or a .npy array"),
        ("k.txt", b"\xe9\xe8\n", "is not text; expected rows of numbers, or a .npy array"),
        ("k.csv", b"1,2\n3\n", ": row 1 has 1 number, expected 2 as in row 0"),
        ("k.csv", b"0,5;1\n", "has both ';' and ','; write decimals with a point and columns with ','"),
        ("k.json", b"[[1,", "is not valid JSON at line 1, column 5 (Expecting value); expected [[1, 2], [3, 4]]"),
        ("k.json", b"[" * 100000, "is nested too deep; expected [[1, 2], [3, 4]]"),
        ("k.json", b"[[1, NaN]]", f": row 0, column 1: got NaN, {NUMBER}"),
        ("k.json", b"[[1" + b"0" * 5000 + b"]]", f": row 0, column 0: got Infinity, {NUMBER}"),
        ("k.toml", b"kernel = [[1, 2]]", "is TOML, expected .csv, .json, .npy or text; recipes are given as --recipe"),
        ("k.json", b'"text"', "holds str, expected rows of numbers [[1, 2], [3, 4]], or planes of rows"),
        ("k.json", b'{"a": 1}', "holds an object without 'weights'; expected [[1, 2], [3, 4]]"),
        ("k.npy", b"", "is no .npy array; save it with numpy.save"),
        ("k.npy", b"PK\x03\x04....", "is an .npz archive, expected one array saved with numpy.save"),
        (
            "k.npy",
            b"\x93NUMPY\x01\x00",
            ": damaged NPY: its header cannot be read (got half a header); get a fresh copy",
        ),
    ],
)
def test_files_that_are_refused(tmp_path, monkeypatch, name, content, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content)
    found = refusal(name)
    assert found == f"kernel file {name}{'' if message.startswith(':') else ' '}{message}"


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((2, 2)) * 1j, "got an array of complex numbers, expected plain numbers"),
        (np.array([["a"]]), "got an array of text, expected plain numbers"),
        (np.array([[1, "a"]], dtype=object), "got an array of Python objects, expected plain numbers"),
        (np.zeros((0, 3)), r"is empty: its shape is \(0, 3\)"),
        (np.float64(3), r"has 0 dimensions \(\), expected 2 \(rows, columns\) or 3"),
        (np.zeros((1, 1, 2, 2)), r"has 4 dimensions \(1, 1, 2, 2\), expected 2 \(rows, columns\) or 3"),
        (np.array([[1, 2], [3, np.nan]]), ": row 1, column 1: got nan, expected a number"),
        (np.array([[[1, 2]], [[np.inf, 2]]]), ": plane 1, row 0, column 0: got inf, expected a number"),
        (np.zeros((2001, 2000), dtype=np.uint8), "has 4,002,000 weights; the limit is 4,000,000"),
    ],
)
def test_arrays_that_are_refused(tmp_path, array, message):
    np.save(tmp_path / "k.npy", array, allow_pickle=True)
    with pytest.raises(KernelError, match=message):
        parse_kernel(str(tmp_path / "k.npy"))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("(1000000, 1000000)", "has 1,000,000,000,000 weights"),
        ("(1000, 1000)", "is cut short: 8000000 bytes are missing"),
    ],
)
def test_a_header_that_lies_about_its_size_allocates_nothing(tmp_path, shape, message):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    (tmp_path / "k.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00" + header)
    assert message in refusal(str(tmp_path / "k.npy"))


@pytest.mark.parametrize(
    "content",
    [
        b"1,2\n3,4\n",
        b"\xef\xbb\xbf1;2\r\n3;4\r\n",
        b"sep=;\r\n1;2\r\n3;4\r\n",
        b'"1","2"\n"3","4"\n',
        "\ufeff1,2\n3,4\n".encode("utf-16-le"),
        "\ufeff1\t2\n3\t4\n".encode("utf-16-be"),
    ],
)
def test_a_csv_as_spreadsheets_write_it(tmp_path, content):
    (tmp_path / "k.csv").write_bytes(content)
    assert parse_kernel(str(tmp_path / "k.csv")).weights.tolist() == [[1, 2], [3, 4]]


def test_a_folder_is_refused(tmp_path):
    (tmp_path / "k.txt").mkdir()
    assert refusal(str(tmp_path / "k.txt")).endswith("k.txt is a folder, expected a file with numbers")


def test_a_compound_kernel_saved_as_json_is_refused(tmp_path):
    path = write(tmp_path / "k.json", '{"combine": "magnitude", "weights": [[[1]], [[1]]]}')
    assert refusal(path).endswith("holds several kernels (magnitude), expected one")


def test_the_public_function_gives_a_fresh_array():
    first, second = kernel("sharpen"), kernel("sharpen")
    first[:] = 0
    assert second.sum() == 1 and kernel("sharpen").sum() == 1


@pytest.mark.parametrize("spec", ["1 2 3; 4 5 6", "1 2 | 3 4", "sobel"])
def test_flipping_reverses_every_axis(spec):
    built = parse_kernel(spec)
    turned = flipped(built)
    for plane, original in zip(turned.planes, built.planes, strict=True):
        np.testing.assert_array_equal(plane, original[(slice(None, None, -1),) * original.ndim])
        assert not plane.flags.writeable
    assert (turned.name, turned.spec, turned.combine) == (built.name, built.spec, built.combine)
    np.testing.assert_array_equal(flipped(turned).planes[0], built.planes[0])


def test_normalizing():
    assert normalized(parse_kernel("1 2; 3 4"), "sum").weights.sum() == pytest.approx(1)
    assert np.abs(normalized(parse_kernel("1 -2; 3 4"), "abs").weights).sum() == pytest.approx(1)
    assert normalized(parse_kernel("1 2"), "none").weights.tolist() == [[1, 2]]
    assert normalized(parse_kernel("-1 -1"), "sum").weights.tolist() == [[0.5, 0.5]]
    for spec in ("sobel-x", "0 0", "log"):
        np.testing.assert_array_equal(normalized(parse_kernel(spec), "sum").weights, parse_kernel(spec).weights)
    assert normalized(parse_kernel("0 0"), "abs").weights.tolist() == [[0, 0]]
    assert [np.abs(plane).sum() for plane in normalized(parse_kernel("sobel"), "abs").planes] == [1, 1]
    with pytest.raises(KernelError, match="normalize: got 'max', expected none, sum or abs"):
        normalized(parse_kernel("box"), "max")


@pytest.mark.parametrize(("short", "long"), [
    ("gaussian:2", "gaussian:sigma=2"), ("box:3x5", "box:size=3x5"), ("log:1/2", "log:sigma=1/2"),
    ("median:5", "median:size=5"), ("bilateral: 4, sigma_color=22", "bilateral:sigma=4,sigma_color=22"),
    ("resize:100", "resize:width=100"), ("gaussian3d:.5", "gaussian3d:sigma=0.5"),
])  # fmt: skip
def test_the_first_parameter_may_do_without_its_name(short, long):
    assert parse_kernel(short).spec == parse_kernel(long).spec
