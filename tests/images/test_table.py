"""Tables: the grammar that spreadsheets, pandas and R write, and which columns are numbers."""

import codecs
import math

import numpy as np
import pytest

from convcli.errors import ImageError
from convcli.images.table import decode


def rewritten(signal, samples=None, **words):
    samples = signal.samples if samples is None else samples
    return signal.encode(samples, np.arange(len(samples)), 1, words.get("strip", False))


def values(signal):
    """Samples as lists, NaN as None."""
    return [[None if value != value else value for value in row] for row in signal.samples.tolist()]


# Whatever the grammar, such a table is written as it was read.
@pytest.mark.parametrize(
    ("text", "samples"),
    [
        ('"Temp; outdoor",Hum\n1,2\n3,4\n', [[1, 2], [3, 4]]),
        ('"a, b";c\n1;2\n3;4\n', [[1, 2], [3, 4]]),
        ('"a\tb","c d"\n1,2\n3,4\n', [[1, 2], [3, 4]]),
        ('"price\n(EUR)",b\n1,2\n3,4\n', [[1, 2], [3, 4]]),
        ('"say ""a"", b",c\n1,2\n3,4\n', [[1, 2], [3, 4]]),
        ('a,note\n1,"x\ny,z"\n3,w\n', [[1], [3]]),
        ("a;b, c\n1;2\n3;4\n", [[1, 2], [3, 4]]),
        ("a, b\n1, 2\n3, 4\n", [[1, 2], [3, 4]]),
        ('a, "b, c"\n1, 2\n3, 4\n', [[1, 2], [3, 4]]),
        ("outdoor temp\n1\n3\n", [[1], [3]]),
        ('"a;b"\n1\n3\n', [[1], [3]]),
        ('"a,b c"\n1\n3\n', [[1], [3]]),
        ("a\tb\n1\t2\n3\t4\n", [[1, 2], [3, 4]]),
        ("a b\n1 2\n3 4\n", [[1, 2], [3, 4]]),
        ("a|b\n1\n3\n", [[1], [3]]),
        ("a,a\n1,2\n3,4\n", [[1, 2], [3, 4]]),
        ('"a","b"\n"1","2"\n"3","4"\n', [[1, 2], [3, 4]]),
        ('"1","2"\n"3","4"\n', [[1, 2], [3, 4]]),
        ("sep=;\na;b\n1;2\n3;4\n", [[1, 2], [3, 4]]),
        ("sep=|\na|b,c\n1|2\n3|4\n", [[1, 2], [3, 4]]),
        ("sep=,\r\na\r\n1\r\n3\r\n", [[1], [3]]),
        ("a;b\r\n1,5;2\r\n3;4,25\r\n", [[1.5, 2], [3, 4.25]]),
        ("a,b\r1,2\r3,4\r", [[1, 2], [3, 4]]),
        ("# by x\n# in m\na,b\n1,2\n3,4\n", [[1, 2], [3, 4]]),
        # pandas, R's write.csv and write.table
        (",v\n0,5\n1,6\n", [[5], [6]]),
        (",0,1\n0,5,6\n1,7,8\n", [[5, 6], [7, 8]]),
        ("Unnamed: 0,v\n0,5\n1,6\n", [[5], [6]]),
        (",,v\na,0,5\nb,1,6\n", [[5], [6]]),
        ('"","v","w"\n"1",5,"a"\n"2",6,"b,c"\n', [[5], [6]]),
        ('"v" "w"\n"1" 5 3\n"2" 6 4\n', [[5, 3], [6, 4]]),
        ("v,w\nx,5,3\ny,6,4\n", [[5, 3], [6, 4]]),
        ('name,"2019","2020"\nx,1,2\ny,3,4\n', [[1, 2], [3, 4]]),
        # delimiters at the end of rows
        ("a,b,\n1,2,\n3,4,\n", [[1, 2], [3, 4]]),
        ("a,b\n1,2,\n3,4,\n", [[1, 2], [3, 4]]),
        ("a;b;;\n1;2;;\n3;4;;\n", [[1, 2], [3, 4]]),
        # dates to the letter
        ("2020-01-01 00:00,5\n2020-01-01 01:00,6\n", [[5], [6]]),
        ("date,v\n01.02.2020,5\n02.02.2020,6\n", [[5], [6]]),
        ("t,v\n0.10,5\n0.20,6\n", [[5], [6]]),
        # identifiers, to the letter
        ("id,v\n007,5\n123,6\n", [[5], [6]]),
        ("id,v\n100,5\nNA,6\n001,7\n", [[5], [6], [7]]),
        # what stands between rows, and rows below the names
        ("# a\nv,w\n# b\n1,2\n  # c\n\n3,4\n#d\n", [[1, 2], [3, 4]]),
        ("v\n1\n#b\n\n3\n", [[1], [3]]),
        ("v;w\n1;2\n# 3;4\n5;6\n", [[1, 2], [5, 6]]),
        ('v,w\n1,"x\n# y"\n3,z\n', [[1], [3]]),
        ("id,v\n#1,2\n#3,4\n", [[2], [4]]),
        ("time,v\ns,m/s\n0,2\n1,4\n", [[2], [4]]),
        ("v,w\n,%\n1,2\n3,4\n", [[1, 2], [3, 4]]),
        (",a,a\n,x,y\nday,,\n7,1,2\n9,3,4\n", [[7, 1, 2], [9, 3, 4]]),
        ("About it\na,b\n1,2\n3,4\n", [[1, 2], [3, 4]]),
        # the end
        ("a,b\n1,2\n3,4", [[1, 2], [3, 4]]),
        ("a,b\r\n1,2\r\n3,4", [[1, 2], [3, 4]]),
    ],
)
def test_a_table_is_written_as_it_was_read(text, samples):
    signal = decode(text.encode())
    assert signal.samples.tolist() == samples
    assert rewritten(signal).decode() == text


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_encodings_and_marks_are_kept(mark, encoding, line_end):
    data = mark + line_end.join(["größe;b", "1,5;2", "3;4", ""]).encode(encoding)
    signal = decode(data)
    assert signal.samples.tolist() == [[1.5, 2], [3, 4]]
    assert rewritten(signal) == data


@pytest.mark.parametrize("word", ["x", "1.234.5", "1_000", "12:30", "$5", "1e999"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_text_in_a_column_leaves_it_alone_wherever_it_stands(word, place):
    cells = ["1", "2", "3"]
    cells[place] = word
    text = "a;b\n"
    text += "".join(f"{each};{number}.5\n" for each, number in zip(cells, (7, 8, 9), strict=True))
    signal = decode(text.encode())
    assert signal.samples[:, 0].tolist() == [7.5, 8.5, 9.5]
    assert signal.kept == ("a",)
    assert signal.warnings == (f"left alone: a (text in line {place + 2})",)
    assert rewritten(signal).decode() == text


@pytest.mark.parametrize("word", ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "null", "NULL", "None", "nan", "NaN"])
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("header", ["a,b\n", ""])
def test_a_missing_cell_is_nan_wherever_it_stands(word, place, header):
    cells = ["1", "2", "3"]
    cells[place] = word
    text = header + "".join(f"{each},{number}.5\n" for each, number in zip(cells, (7, 9, 8), strict=True))
    signal = decode(text.encode())
    expected = [1.0, 2.0, 3.0]
    expected[place] = None
    assert values(signal) == [list(each) for each in zip(expected, (7.5, 9.5, 8.5), strict=True)]
    told = f"1 missing cell of {'a' if header else 'column 0'} became NaN"
    assert signal.warnings == (() if word.lower() == "nan" else (told,))
    assert rewritten(signal).decode() == text


def test_a_header_above_columns_with_text_is_one():
    with pytest.raises(ImageError, match="besides those that count time: v has text in line 3"):
        decode(b"date,v\n2020-01-01,1\n2020-01-02,x\n")
    assert decode(b"x,y,z\n1,b,2\na,1,3\n").kept == ("x", "y")


def test_beside_decimal_commas_a_point_makes_text():
    signal = decode(b"a;b\n1,5;1.234\n2,5;2.345\n")
    assert signal.samples.tolist() == [[1.5], [2.5]]
    assert signal.warnings == ("left alone: b (text in line 2)",)


def test_an_empty_column_is_left_alone_wherever_it_stands():
    for text in ("a,,b\n1,,2\n3,,4\n", ",a,b\n,1,2\n,3,4\n", "a,b,c\n1,2,\n3,4,\n", "a,b,c\n1,2,NA\n3,4,NA\n"):
        signal = decode(text.encode())
        assert signal.samples.tolist() == [[1, 2], [3, 4]]
        assert "(empty)" in signal.warnings[0]
        assert rewritten(signal).decode() == text


def test_empty_rows_at_the_end_and_blank_lines_are_told():
    signal = decode(b"a,b\n1,2\n,\n3,4\n,\n,\n")
    assert values(signal) == [[1, 2], [None, None], [3, 4]]
    assert signal.warnings == ("left out: 2 empty rows at the end", "2 missing cells of a, b became NaN")
    signal = decode(b"a\n1\n\n3\n\n")
    assert signal.samples.tolist() == [[1], [3]]
    assert signal.warnings == ("left alone: 1 blank line",)


def test_many_columns_left_alone_are_told_in_short():
    signal = decode(b"a,b,c,d,e,f,g,v\nx,x,x,x,x,x,x,1\n")
    assert signal.warnings[0].endswith("e (text in line 2) and 2 more")
    assert decode(b'"a\x1b[31m\nb",v\nx,1\n').warnings == ("left alone: a\\x1b[31m\\nb (text in line 3)",)


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 3, 2**63 - 1, 2**63, 2**64 - 1, -(2**63)])
def test_whole_numbers_beyond_53_bits_are_kept_exactly(number):
    text = f"id\n{number}\n7\n" if number < 2**63 else f"id\n{number}\n0\n"
    signal = decode(text.encode())
    assert signal.samples[0, 0] == number
    assert signal.samples.dtype == ("uint64" if number >= 2**63 else "int64")
    assert rewritten(signal).decode() == text


@pytest.mark.parametrize(
    "cells", [f"{2**53 + 1},1.5", f"{2**53 + 1},NA", f"{2**64},1", f"-1,{2**63}", "9" * 5000 + ",1"]
)
def test_whole_numbers_that_would_change_are_refused(cells):
    with pytest.raises(ImageError, match=r"in line 2, expected at most 2\*\*53"):
        decode(f"a,b\n{cells}\n1,1\n".encode())


def test_2_to_the_53_is_a_float():
    assert decode(f"a,b\n{2**53},1.5\n".encode()).samples.tolist() == [[2.0**53, 1.5]]
    assert decode(b"a\n1e300\n").samples.tolist() == [[1e300]]


def test_what_is_missing_is_written_as_the_table_writes_it():
    signal = decode(b"a,b\n1,NA\n2,3\n")
    assert rewritten(signal, np.array([[math.nan, 1], [2, math.nan]])) == b"a,b\nNA,1\n2,NA\n"
    signal = decode(b"a\n1\n2\n")
    assert rewritten(signal, np.array([[math.nan], [2]])) == b"a\nnan\n2\n"
    cells = b"a,b\nNA,1\n#N/A,2\n,3\nnull,4\n5,\n6,-nan\n"
    assert rewritten(decode(cells)) == cells
    spread = np.array([[math.nan, math.nan]] * 6)
    assert rewritten(decode(cells), spread) == b"a,b\nNA,\n#N/A,\n,\nnull,\nNA,\nNA,-nan\n"


def test_words_below_the_names_are_told():
    assert decode(b"a,b\nm,s\n1,2\n").warnings == ("left alone: line 2 (words under the header)",)
    assert decode(b"a,b\nx,\n1,2\n").warnings == ("left alone: line 2 (words under the header)",)
    for text in ("a,b\n-,-\n1,2\n", "a,b\nx,1\n1,2\n", "a,b\nx,NA\n1,2\n"):  # cells, like those further below
        assert not any("words" in each for each in _warnings(text))


def _warnings(text):
    try:
        return decode(text.encode()).warnings
    except ImageError as error:
        return (str(error),)


@pytest.mark.parametrize("word", ["Total", "sum", "Mean:", "max", "Grand total", "Mittelwert"])
def test_last_rows_that_sum_up_are_left_out(word):
    signal = decode(f"t,a\n0,1\n1,3\n\n{word},4\nmin,1\n".encode())
    assert signal.samples.tolist() == [[1], [3]]
    assert signal.warnings == ("left out: 2 rows of sums or means at the end",)
    assert rewritten(signal) == b"t,a\n0,1\n1,3\n\n"
    assert decode(b"name,a\ntotal,1\nother,2\n").samples.tolist() == [[1], [2]]


def test_what_stands_between_rows_goes_with_the_row_below():
    signal = decode(b"a,b\n1,2\n# c\n3,4\n# d\n5,6\n# e\n")
    assert signal.encode(signal.samples[::2], np.array([0, 2]), 2, False) == b"a,b\n1,2\n# c\n# d\n5,6\n# e\n"
    assert signal.encode(signal.samples, np.arange(3), 1, True) == b"a,b\n1,2\n3,4\n5,6\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\n" * 1_100_000, "got 550,000 blank lines and more, expected at most 500,000; leave them out"),
        (b"\r\n" * 1_100_000, "blank lines and more"),
        (b"1,2\n" + b" \n" * 500_001 + b"3,4\n", "got 500,001 blank lines and more"),
        (b"#\n" * 100_002, "got 100,001 lines of comments, expected at most 100,000"),
        (b" #\n" * 100_001, "got 100,001 lines of comments and more"),
        (b" " * 1_000_000, "holds no number"),
    ],
)
def test_lines_without_a_number_are_counted(data, message):
    with pytest.raises(ImageError, match=message):
        decode(data)


def test_digits_behind_a_zero_alone_are_no_numbers():
    with pytest.raises(ImageError, match="v has digits behind a 0 in line 3, as in an identifier"):
        decode(b"v\n12\n01\n")
    for text in ("v\n0\n12\n", "v\n00.5\n1\n", "v\n-01\n1\n"):
        assert decode(text.encode()).warnings == ()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a,b\n1,2\n3\n", "line 3: got 1 cells, expected 2"),
        (b"a,b\n1,2\n3,4,5\n", "line 3: got 3 cells, expected 2"),
        (b"1 2\n3\n4\n", "line 2: got 1 cells, expected 2"),
        (b'# x\na,"b\nc"\n1,2\n3\n', "line 5: got 1 cells, expected 2"),
        (b'a,b\n1,"2\n3,4\n', "line 2: its quotes or cells make no sense"),
        (b'"a"x,b\n1,2\n', "line 1: its quotes or cells make no sense"),
        (b"a,b\n1," + b"2" * 200_000 + b"\n", "line 2: its quotes or cells make no sense"),
        (b"sep=;\n", "holds no number"),
        (b"a\0b\n", "got a NUL at character 2"),
        (b"caf\xe9,b\n1,2\n", "no text at position 3"),
        (codecs.BOM_UTF16_LE + b"1\0\n", "no text at position 4"),
        ("a,b\n1,2\n".encode("utf-16-le"), "got a NUL"),
    ],
)
def test_what_is_no_table_is_one_line(data, message):
    with pytest.raises(ImageError, match=message) as caught:
        decode(data)
    assert "\n" not in str(caught.value)


def test_infinities_do_not_rise_evenly():
    signal = decode(b"inf,1\ninf,2\n-inf,3\n1,4\n")
    assert signal.samples[:, 0].tolist() == [math.inf, math.inf, -math.inf, 1]
    assert signal.warnings == ()
