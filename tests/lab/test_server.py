"""Who may ask the lab, how much and in which turn: every refusal is one line, and nothing is read that was not sent."""

import asyncio
import http.client
import io
import json
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from convcli.lab import turns
from convcli.lab.app import Lab
from convcli.lab.guard import Guard
from convcli.lab.pictures import Pictures

ROOT = Path(__file__).parent.parent.parent


def ask(lab, method, path, body=None, *, token=None, **headers):
    """A request as it is; the status, the line of a refusal, and the headers."""
    connection = http.client.HTTPConnection("127.0.0.1", lab.port, timeout=60)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.putrequest(method, f"/{lab.token if token is None else token}{path}", skip_host="host" in headers)
    given = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    if body is not None and "content-length" not in headers:
        headers["content-length"] = str(len(given))
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(given or None)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text, answer.headers


LONG = "; ".join([" ".join(["1"] * 1000)] * 1000)
REFUSED = [
    # Who asks.
    ("GET", "/", None, {"host": "evil.example"}, 403, "host: got 'evil.example', expected the address"),
    ("GET", "/", None, {"host": "127.0.0.1"}, 403, "host: got '127.0.0.1'"),
    ("GET", "/", None, {"host": "192.168.1.7:{port}"}, 403, "host: got '192.168.1.7:"),
    ("GET", "/api/start", None, {"origin": "http://evil.example"}, 403, "origin: got 'http://evil.example'"),
    ("POST", "/api/kernel/filter", {}, {"origin": "null"}, 403, "origin: got 'null', expected a page of this lab"),
    ("GET", "/", None, {"token": ""}, 403, "token: missing or wrong"),
    ("GET", "/api/start", None, {"token": "a" * 32}, 403, "token: missing or wrong"),
    ("POST", "/api/train/start", {"data": "digits"}, {"token": "%c3%a9"}, 403, "token"),
    # How much.
    ("POST", "/api/pictures?name=a.png", b"x", {"content-length": str(10**9)}, 413, "got 1,000,000,000 bytes, exp"),
    ("POST", "/api/digit/look", b"x", {"content-length": str(10**9)}, 413, "got 1,000,000,000 bytes, exp"),
    ("POST", "/api/kernel/filter", {"kernel": LONG}, {}, 413, "upload: got 2,0"),
    ("POST", "/api/kernel/filter", {"kernel": "box:size=999"}, {}, 422, "got 999x999 weights, expected at most 4,096"),
    ("POST", "/api/kernel/filter", {"kernel": "1 1 1", "padding": 4096}, {}, 422, "would have more than 16,000,000"),
    ("POST", "/api/arithmetic/slide", {"rows": 64, "columns": 64}, {}, 422, "positions of the window"),
    ("POST", "/api/arithmetic/chain", {"input": "9x9", "layers": "conv:2 " * 900}, {}, 400, "letters, expected"),
    # What.
    ("GET", "/static/../../../../etc/passwd", None, {}, 404, "Not Found"),
    ("GET", "/static/..%2f..%2fapp.py", None, {}, 404, "Not Found"),
    ("GET", "/static/sample.jpg", None, {}, 404, "no such page"),
    ("GET", "/api/pictures/..%2fsample.jpg", None, {}, 404, "Not Found"),
    ("GET", "/api/pictures/passwd", None, {}, 422, "picture: is not here any more"),
    ("POST", "/api/kernel/filter", {"kernel": "/etc/passwd"}, {}, 422, "no kernel or file is named '/etc/passwd'"),
    ("POST", "/api/kernel/filter", {"kernel": "./pyproject.toml"}, {}, 422, "no kernel or file is named"),
    ("POST", "/api/kernel/filter", {"kernel": "tests/x.csv"}, {}, 422, "no kernel or file is named"),
    ("POST", "/api/kernel/filter", {"kernel": "median"}, {}, 422, "has no weights to show"),
    ("POST", "/api/kernel/filter", {"range": "raw"}, {}, 400, "range: got 'raw'"),
    ("POST", "/api/kernel/filter", {"bias": float("nan")}, {}, 422, "bias: got nan"),
    ("POST", "/api/kernel/filter", {"stride": True}, {}, 400, "stride: got True, expected a whole number"),
    ("POST", "/api/kernel/explain", {"row": 10**7}, {}, 422, "pixel: got 10000000, expected less than"),
    ("POST", "/api/kernel/filter", b"[" * 100_000, {}, 400, "is no JSON"),
    ("POST", "/api/kernel/filter", b"\xff\xfe", {}, 400, "is no JSON"),
    ("POST", "/api/digit/look?name=a.png", b"no picture", {}, 422, "a.png: is not a picture"),
    ("POST", "/api/digit/look?model=/etc/passwd", b"", {}, 422, "model: got '/etc/passwd', expected one that the lab"),
    ("POST", "/api/digit/unit", {"key": "../../x"}, {}, 422, "drawing: is not here any more"),
    ("POST", "/api/train/start", {"data": "/etc"}, {}, 422, "data: got '/etc', expected one of"),
    ("POST", "/api/train/start", {"model": "/etc/x.toml"}, {}, 400, "model: got '/etc/x.toml', expected one of"),
    ("POST", "/api/train/go", {}, {}, 422, "training: none is running"),
    ("GET", "/api/train/file", None, {"ours": "yes"}, 422, "training: nothing to save yet"),
]  # fmt: skip


def test_each_refusal_is_one_line(lab):
    for method, path, body, headers, status, line in REFUSED:
        if "ours" in headers and lab.room.training._run is not None:
            continue  # another test has trained
        headers = {name: value.replace("{port}", str(lab.port)) for name, value in headers.items() if name != "ours"}
        if headers.get("content-length") == str(10**9):
            headers["expect"] = "100-continue"
        got, text, told = ask(lab, method, path, body, **headers)
        assert (got, line in text.decode()) == (status, True), (method, path, got, text[:300])
        assert text.decode().strip().count("\n") == 0
        assert (
            told["x-content-type-options"] == "nosniff" and "frame-ancestors 'none'" in told["content-security-policy"]
        )
    # A page is told of slips in a header: its console stays quiet.
    got, _, told = ask(lab, "POST", "/api/kernel/filter", {"kernel": "nothing"}, x_lab_tab="a")
    assert (got, told["x-lab-status"]) == (200, "422")


def test_what_is_sent_is_kept_in_memory_and_forgotten(lab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keys = []
    for level in range(9):
        written = io.BytesIO()
        Image.new("L", (40, 30), level).save(written, "PNG")
        status, text, _ = ask(lab, "POST", "/api/pictures?name=..%2F..%2F-k.png", written.getvalue())
        told = json.loads(text)
        assert (status, told["name"], told["size"]) == (200, "./-k.png", [30, 40, 1])
        keys.append(told["key"])
    assert ask(lab, "GET", f"/api/pictures/{keys[0]}")[0] == 422
    status, text, _ = ask(lab, "POST", "/api/kernel/filter", {"picture": keys[-1], "kernel": "1 2 1", "bias": -3})
    assert b"convcli filter ./-k.png -k '1 2 1' --bias -3 --alpha" not in text
    assert b"convcli filter ./-k.png -k '1 2 1' --bias -3 -o ./-k_matrix.png" in text
    header = b"IHDR" + struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    bomb = written.getvalue()[:12] + header + struct.pack(">I", zlib.crc32(header)) + written.getvalue()[33:]
    status, text, _ = ask(lab, "POST", "/api/pictures?name=bomb.png", bomb)
    assert status == 422 and b"bomb.png: got 30000x30000 = 900000000 pixels, expected at most 16000000" in text, text
    assert list(tmp_path.iterdir()) == []


def test_a_newer_wish_takes_the_place_of_the_older(monkeypatch):
    """One works, of its lane only the newest waits, other lanes have their turn, and a crowd is sent away."""
    monkeypatch.setattr(turns, "MOST_WAITING", 2)

    async def scene():
        queue, done, may_end = turns.Turns(turns.Gate()), [], threading.Event()

        def slow():
            may_end.wait(10)
            done.append("first")

        first = asyncio.create_task(queue.run("tab 1", slow))
        await asyncio.sleep(0.02)
        wishes = [asyncio.create_task(queue.run("tab 1", lambda n=n: done.append(n))) for n in range(3)]
        other = asyncio.create_task(queue.run("tab 2", lambda: done.append("other")))
        await asyncio.sleep(0.02)
        with pytest.raises(turns.BusyError):
            await queue.run("tab 3", lambda: None)
        given_up = asyncio.create_task(queue.run("tab 2", lambda: done.append("never")))
        await asyncio.sleep(0.02)
        given_up.cancel()
        may_end.set()
        outcomes = await asyncio.gather(first, *wishes, other, given_up, return_exceptions=True)
        queue.close()
        return done, [type(each).__name__ for each in outcomes]

    done, outcomes = asyncio.run(scene())
    assert done == ["first", 2]
    assert outcomes == [
        "NoneType",
        "SupersededError",
        "SupersededError",
        "NoneType",
        "SupersededError",
        "CancelledError",
    ]


def test_a_training_steps_back_for_whoever_asks():
    gate, order = turns.Gate(), []

    def train():
        with gate.held():
            for batch in range(3):
                order.append(batch)
                if batch == 0:
                    began.set()
                    while not gate._asking:
                        time.sleep(0.001)
                gate.step_back()

    began = threading.Event()
    thread = threading.Thread(target=train)
    thread.start()
    began.wait(10)
    with gate.held():
        order.append("page")
    thread.join(10)
    assert order == [0, "page", 1, 2]


def test_other_machines_may_ask_only_where_they_are_let_in(lab):
    def allows(host, asked):
        return Guard(lab.room, host, 80, "t")._may_be(asked)

    assert allows("127.0.0.1", "localhost:80") and allows("::1", "[::1]:80") and allows("127.0.0.1", "localhost")
    assert not allows("127.0.0.1", f"{socket.gethostname()}.evil:80") and not allows("127.0.0.1", "10.0.0.1:80")
    assert allows("0.0.0.0", "10.0.0.1:80") and allows("0.0.0.0", f"{socket.gethostname()}:80")
    assert not allows("0.0.0.0", "evil.example:80") and not allows("0.0.0.0", "10.0.0.1:81")


def test_what_the_command_refuses(convcli, lab, tmp_path):
    (tmp_path / "no.png").write_text("no")
    for words, code, message in (
        (["--port", lab.port], 1, f"port: 127.0.0.1:{lab.port} cannot be had (address already in use); choose another"),
        (["--host", "256.1.1.1.1"], 1, "host: got '256.1.1.1.1', expected a name or an address of this machine"),
        (["--port", "70000"], 2, "70000"),
        ([tmp_path / "missing.png"], 1, "no such file"),
        ([tmp_path / "no.png"], 1, "is not a picture"),
        (["a.png", "b.png"], 2, "got two of a kind, a.png and b.png, expected one image"),
        (["missing.safetensors", "--port", "0"], 1, "missing.safetensors"),
    ):
        result = convcli("lab", *words, "--no-browser")
        assert (result.code, result.out, result.err.count("\n")) == (code, "", 1), result.err
        assert message in result.err


def test_it_prints_an_address_and_ends_with_ctrl_c():
    words = [sys.executable, "-m", "convcli", "lab", "--port", "0", "--no-browser", "--host", "0.0.0.0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:") and len(address.split("/")[3]) == 32
        with socket.create_connection(("127.0.0.1", int(address.split(":")[2].split("/")[0]))) as asking:
            asking.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert b"403" in asking.recv(100)  # it serves
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "")
    assert "Warning: --host 0.0.0.0" in err and "Traceback" not in err


def test_everything_a_page_loads_is_in_the_lab():
    """No file of the page names another machine."""
    lab = Lab(Pictures())
    for name, (_, content) in lab._static.items():
        assert set(re.findall(r"https?://[^\s\"']+", content.decode())) <= {"http://www.w3.org/2000/svg"}, name
    lab.close()


SAMPLES = ROOT / "sample_images"
COPIED = [
    ("cup.png", {"kernel": "sobel", "range": "minmax", "channels": "gray", "stride": 2}),
    ("cup.png", {"kernel": "1/9 1/9 1/9; 1/9 1/9 1/9; 1/9 1/9 1/9", "padding": "full", "bias": -20.5, "scale": 1.5}),
    ("portrait.jpg", {"kernel": "-1 0; 0 1", "border": "constant", "border_value": 17, "channels": "sum"}),
    ("noisy.png", {"kernel": "gaussian:sigma=2", "dilation": 3, "convolve": True, "normalize": "abs", "padding": 2}),
    ("deep.png", {"kernel": "sharpen", "activation": "relu"}),
    ("number's.tiff", {"kernel": "laplacian", "border": "wrap"}),
]  # fmt: skip


def test_the_copied_command_writes_what_is_saved(convcli, lab, tmp_path, monkeypatch, rng):
    """Alpha, orientation, 16 bits, floats; every word of a filter."""
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("number's.tiff", rng.random((12, 9), dtype=np.float32))
    Image.fromarray(rng.integers(0, 65536, (11, 14), np.uint16)).save("deep.png")
    for name, words in COPIED:
        if not Path(name).exists():
            shutil.copy(SAMPLES / name, name)
        key = lab.room.pictures.add(Path(name).read_bytes(), name).key
        told = lab.room.kernels.filter({**words, "picture": key}).body
        told = json.loads(told[4 : 4 + int.from_bytes(told[:4], "little")])
        saved = lab.room.kernels.save({**words, "picture": key}).body
        result = convcli(*shlex.split(told["command"])[1:])
        assert result.code == 0, (told["command"], result.err)
        assert Path(result.out.strip()).read_bytes() == saved, told["command"]
        assert result.out.strip() == told["target"]
