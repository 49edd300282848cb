"""Make `sample_images/lab.jpg`, with which the README opens: the lab's four rooms as Chromium shows them.

Run it from the repository: ``python tests/lab_picture.py``. The training in it takes some seconds.
"""

import io
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

from browser import Browser
from PIL import Image

from convcli.lab.app import Lab
from convcli.lab.pictures import Pictures
from convcli.lab.server import Server, bind

TARGET = Path(__file__).parent.parent / "sample_images" / "lab.jpg"
WIDTH, HEIGHT, GAP = 1440, 880, 16
# A room's address, whether it is dark, what is done there, and when it is ready.
ROOMS = (
    ("kernel=sobel-x&range=offset", False,
     "const stage = document.getElementById('k-stage'); stage.focus();"
     " for (const key of 'RRRR') stage.dispatchEvent(new KeyboardEvent('keydown',"
     " {key: key === 'R' ? 'ArrowRight' : 'ArrowUp', shiftKey: true})); stage.blur();",
     "document.querySelectorAll('#k-steps tr').length > 3 && document.getElementById('k-histogram-text').textContent"),
    ("arithmetic=convolution&rows=6&columns=6&padding=1&stride=2&at=4", True, "",
     "document.getElementById('a-sum').textContent && document.querySelector('#a-layers td')"),
    ("digit=", True,
     "for (const key of ['Enter', 'ArrowUp', 'ArrowUp', 'ArrowRight', 'ArrowRight'])"
     " document.querySelector('[data-layer=conv_2]').dispatchEvent(new KeyboardEvent('keydown', {key}));",
     "document.querySelectorAll('.dot').length > 3"),
    ("train=digits&epochs=12", False, "document.getElementById('t-start').click();",
     "document.getElementById('t-state').dataset.state === 'done'"),
)  # fmt: skip
BEGUN = "document.querySelector('.room:not([hidden]) .command code')?.textContent"


def photographs(address):
    """One picture for each room."""
    with Browser() as browser, tempfile.TemporaryDirectory() as folder:
        for fragment, dark, does, ready in ROOMS:
            browser.visit(f"{address}#{fragment}", width=WIDTH, height=HEIGHT, dark=dark)
            browser.wait_for(f"Boolean({BEGUN})")
            browser.evaluate(f"(() => {{ {does} }})()")
            browser.wait_for(f"Boolean({ready})")
            time.sleep(0.5)
            browser.screenshot(Path(folder) / "room.png", whole=False)
            yield Image.open(io.BytesIO((Path(folder) / "room.png").read_bytes())).convert("RGB")


def main():
    """Serve a lab, photograph it, and put the pictures together."""
    os.chdir(TARGET.parents[1])
    bound, lab = bind("127.0.0.1", 0), Lab(Pictures("sample_images/cat.jpg"))
    server = Server(bound, lab.guarded(bound.host, bound.port, bound.token))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound.socket]})
    thread.start()
    sheet = Image.new("RGB", (2 * WIDTH + GAP, 2 * HEIGHT + GAP), (127, 127, 127))
    try:
        for place, picture in enumerate(photographs(bound.address)):
            sheet.paste(picture, (place % 2 * (WIDTH + GAP), place // 2 * (HEIGHT + GAP)))
    finally:
        server.should_exit = True
        thread.join()
        lab.close()
    sheet.resize((1600, round(1600 * sheet.height / sheet.width)), Image.Resampling.LANCZOS).save(TARGET, quality=88)
    sys.stdout.write(f"{TARGET}\n")


if __name__ == "__main__":
    main()
