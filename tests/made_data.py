"""Data files made on the spot: a tiny data set in each format, and drawn digits."""

import contextlib
import dataclasses
import gzip
import hashlib
import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image, ImageDraw

from convcli.datasets.registry import ENTRIES, RemoteFile

# Strokes of digits on a square of 100: lists of points of lines.
STROKES = {
    0: [[(50, 5), (75, 15), (85, 50), (75, 85), (50, 95), (25, 85), (15, 50), (25, 15), (50, 5)]],
    1: [[(38, 22), (55, 5), (55, 95)]],
    4: [[(35, 5), (18, 60), (85, 60)], [(65, 30), (65, 95)]],
    7: [[(15, 8), (85, 8), (45, 95)]],
}


def draw(digit, size=(400, 300), box=(120, 60, 160), width=14, paper=255, ink=0, mode="L"):
    """A digit of strokes: ``box`` is its left, top and side in pixels."""
    picture = Image.new(mode, size, paper)
    pen = ImageDraw.Draw(picture)
    left, top, side = box
    for line in STROKES[digit]:
        points = [(left + x * side / 100, top + y * side / 100) for x, y in line]
        pen.line(points, fill=ink, width=width, joint="curve")
        for x, y in (points[0], points[-1]):
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=ink)
    return np.array(picture)


def photograph(grey, rng, noise=0.02):
    """A drawing on paper as a camera sees it: light from one side, a darker corner, warm paper, noise."""
    height, width = grey.shape
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    light = 0.9 - 0.4 * across - 0.15 * down**2
    reflected = 0.3 + 0.7 * grey / 255
    seen = (light * reflected)[..., np.newaxis] * np.array([1.0, 0.97, 0.9])
    return np.clip(np.rint(255 * (seen + rng.normal(0, noise, seen.shape))), 0, 255).astype(np.uint8)


def build_idx(array):
    """The IDX file of an array of bytes."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def small_entry(**changes):
    """A data set like MNIST with 6 training and 4 test images of 5x5, and the content of its files by name."""
    rng = np.random.default_rng(1)
    arrays = (
        rng.integers(0, 256, (6, 5, 5)),
        np.array([0, 1, 2, 0, 1, 2]),
        rng.integers(0, 256, (4, 5, 5)),
        np.array([0, 1, 2, 2]),
    )
    contents, files = {}, []
    for like, array in zip(ENTRIES["mnist"].files, arrays, strict=True):
        plain = build_idx(array)
        packed = gzip.compress(plain, mtime=0)
        contents[like.name] = packed
        files.append(
            RemoteFile(
                like.name,
                len(packed),
                "md5:" + hashlib.md5(packed).hexdigest(),
                array.shape,
                hashlib.md5(plain).hexdigest(),
            )
        )
    values = {"name": "small", "files": tuple(files), "folders": (), "counts": (6, 4), **changes}
    return dataclasses.replace(ENTRIES["mnist"], **values), contents


def cifar_batch(count, seed=0):
    """A CIFAR-10 batch of random pictures: its bytes."""
    rng = np.random.default_rng(seed)
    records = rng.integers(0, 256, (count, 3073), np.uint8)
    records[:, 0] = np.arange(count) % 10
    return records.tobytes()


def cifar_archive(batches):
    """The archive of batches, as distributed, with things in it that have to be left alone."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name in ("batches.meta.txt", "../../escape.txt"):
            archive.addfile(tarfile.TarInfo(name))
        link = tarfile.TarInfo("cifar-10-batches-bin/data_batch_1.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
        for name, content in batches.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@contextlib.contextmanager
def serving(files, *, truncate=False):
    """An http server on this machine with these files; yields its address and the list of paths asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            content = files.get(self.path.lstrip("/"))
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if truncate else content)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
