"""Numbers of some bits each, one after the other."""

from convcli.errors import ImageError


class LowBits:
    """Reads from the lowest bit of each byte on, as JPEG XL does."""

    def __init__(self, data: bytes) -> None:
        self.whole = int.from_bytes(data, "little")
        self.left = self.all = 8 * len(data)

    def take(self, count: int) -> int:
        """The next number of so many bits; raises `ImageError` behind the end."""
        self.left -= count
        if self.left < 0:
            raise ImageError("truncated: its header is cut off; get a fresh copy")
        value = self.whole & ((1 << count) - 1)
        self.whole >>= count
        return value


class HighBits:
    """Reads from the highest bit of each byte on, as AV1 does."""

    def __init__(self, data: bytes) -> None:
        self.whole = int.from_bytes(data, "big")
        self.left = 8 * len(data)

    def take(self, count: int) -> int:
        """The next number of so many bits; raises `ImageError` behind the end."""
        self.left -= count
        if self.left < 0:
            raise ImageError("truncated: its header is cut off; get a fresh copy")
        return self.whole >> self.left & ((1 << count) - 1)

    def exponential(self) -> int:
        """A number that begins with as many zeros as it has further bits."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)
