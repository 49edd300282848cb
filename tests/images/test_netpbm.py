"""PBM, PGM, PPM, PAM: comments wherever they may stand, every kind of header, and what is refused."""

import io

import pytest

from convcli.errors import ImageError
from convcli.images.reading import read


def load(data):
    return read(io.BytesIO(data))


@pytest.mark.parametrize(
    "header",
    [
        b"P5 3 1 255\n",
        b"P5#a\n3 1 255\n",
        b"P5\n# a\n# b\n3 1\n255\n",
        b"P5 3#a\n1 255\n",
        b"P5 3 # a\n 1 255\n",
        b"P5 3 1#a\r255\n",
        b"P5\n3 1\n#\n255\n",
        b"P5\n3 1\n255#c\n\n",
        b"P5\n3 1\n255# 9 9\r\n",
        b"P5\n3 1\n255#c\n",  # as if its line end were the white space
        b"P5\n3 1\n255\n#c\n",
        b"P5\n3 1\n255\n#c\n#d\n",
        b"P5\r\n3 1\r\n255\r\n",
        b"P7\nWIDTH 3\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nTUPLTYPE GRAYSCALE\nENDHDR\n",
        b"P7\n# a\nHEIGHT 1\n\nWIDTH  3\nMAXVAL 255\nDEPTH 1\nENDHDR\n",
    ],
)
def test_comments_and_white_space(header):
    image = load(header + bytes([10, 20, 30]))
    assert image.pixels[..., 0].tolist() == [[10, 20, 30]]
    assert image.warnings == ()


def test_a_first_pixel_that_looks_like_a_comment_or_white_space():
    assert load(b"P5 3 1 255\n#\n\n").pixels[..., 0].tolist() == [[35, 10, 10]]
    assert load(b"P5 2 1 255\n\n\r").pixels[..., 0].tolist() == [[10, 13]]
    assert load(b"P5 1 1 255\r\n").pixels[..., 0].tolist() == [[10]]


@pytest.mark.parametrize("header", [b"P2 2 1 255#c\n", b"P2 2 1\n255 #c\n#d\n", b"P2 2 1 255\n7#c\n255 "])
def test_comments_of_plain_files(header):
    text = header if b"7#" in header else header + b"7 255"
    assert load(text).pixels[..., 0].tolist() == [[7, 255]]


def pam(kind, depth, white, pixels, more=b""):
    type_line = b"TUPLTYPE " + kind + b"\n" if kind else b""
    numbers = f"WIDTH 2\nHEIGHT 1\nDEPTH {depth}\nMAXVAL {white}\n".encode()
    return b"P7\n" + numbers + type_line + more + b"ENDHDR\n" + bytes(pixels)


@pytest.mark.parametrize(
    ("data", "expected", "has_alpha"),
    [
        (pam(b"BLACKANDWHITE", 1, 1, [0, 1]), [[0], [255]], False),
        (pam(b"GRAYSCALE", 1, 15, [5, 15]), [[85], [255]], False),
        (pam(b"GRAYSCALE", 1, 65535, [1, 2, 255, 254]), [[0x0102], [0xFFFE]], False),
        (pam(b"GRAYSCALE", 1, 1023, [0, 1, 3, 255]), [[64], [65535]], False),
        (pam(b"RGB", 3, 255, [1, 2, 3, 4, 5, 6]), [[1, 2, 3], [4, 5, 6]], False),
        (pam(b"BLACKANDWHITE_ALPHA", 2, 1, [0, 1, 1, 0]), [[0, 255], [255, 0]], True),
        (pam(b"GRAYSCALE_ALPHA", 2, 255, [1, 2, 3, 4]), [[1, 2], [3, 4]], True),
        (pam(b"RGB_ALPHA", 4, 255, range(8)), [[0, 1, 2, 3], [4, 5, 6, 7]], True),
        (pam(b"", 4, 255, range(8)), [[0, 1, 2, 3], [4, 5, 6, 7]], True),
    ],
)
def test_pam(data, expected, has_alpha):
    image = load(data)
    assert image.pixels[0].tolist() == expected
    assert image.has_alpha == has_alpha


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pam(b"CMYK", 4, 255, range(8)), "got a PAM of CMYK and 4 channels, expected BLACKANDWHITE"),
        (pam(b"RGB", 4, 255, range(8)), "got a PAM of RGB and 4 channels"),
        (pam(b"", 5, 255, range(10)), "got a PAM of unknown kind and 5 channels"),
        (pam(b"RGB", 3, 255, [], b"TUPLTYPE ALPHA\n"), "got a PAM of RGB ALPHA"),
        (pam(b"RGB", 3, 0, range(6)), "largest value of 0"),
        (pam(b"RGB", 3, 65536, range(6)), "largest value of 65536"),
        (pam(b"RGB", 3, 255, range(5)), "1 bytes are missing"),
        (b"P7\nWIDTH 2\n", "its header is incomplete"),
        (b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH -1\nMAXVAL 1\nENDHDR\n", "its header is incomplete"),
        (b"P5 99999999999 1 255\n", "a number of more than 10 digits"),
        (b"P5 " + b" " * 2_000_000 + b"1 1 255\n1", "got no number within 65,536 bytes of its header"),
        (b"P5 " + b"#" * 2_000_000 + b"\n1 1 255\n1", "got no number within 65,536 bytes of its header"),
        (b"P5 " + b"#\n" * 1_000_000 + b"\n1 1 255\n1", "got no number within 65,536 bytes of its header"),
        (b"P5 2 1 255#c", "2 bytes are missing"),
        (b"P5 2 1 255", "truncated PPM"),
        (b"PF 2 1 -1.0\n", "not a picture convcli knows"),
    ],
)
def test_what_is_refused(data, message):
    with pytest.raises(ImageError, match=message) as caught:
        load(data)
    assert "\n" not in str(caught.value)


def test_what_follows_the_pixels_is_told():
    one = b"P5 1 1 255\n\x07"
    assert load(one + b"\n").warnings == ()
    assert load(one + one).warnings == ("PPM of several pictures: only the first was read",)
    assert load(one + b"\n" + one).warnings == ("PPM of several pictures: only the first was read",)
    assert load(one + b"junk").warnings == ("left out: 4 bytes behind its pixels",)
    assert load(b"P4#c\n9 1\n\xaa\x80").pixels[..., 0].tolist() == [[0, 255, 0, 255, 0, 255, 0, 255, 0]]
