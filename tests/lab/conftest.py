"""One lab and one browser for all tests of the room."""

import threading
import time
from types import SimpleNamespace

import pytest
from browser import Browser, reason_to_skip

from convcli.lab.app import Lab
from convcli.lab.pictures import Pictures
from convcli.lab.server import Server, bind


@pytest.fixture(scope="session")
def lab():
    """A lab that serves from a thread of this process."""
    bound = bind("127.0.0.1", 0)
    room = Lab(Pictures())
    server = Server(bound, room.guarded(bound.host, bound.port, bound.token))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound.socket]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield SimpleNamespace(address=bound.address, port=bound.port, token=bound.token, room=room)
    server.should_exit = True
    thread.join()
    room.close()


@pytest.fixture(scope="session")
def one_browser():
    if reason_to_skip():
        pytest.skip(reason_to_skip())
    with Browser() as one:
        yield one


@pytest.fixture
def page(lab, one_browser):
    """Opens a room: ``page("kernel=box")``; whatever is done there, the console stays empty."""

    def visit(fragment, ready, **window):
        one_browser.visit(f"{lab.address}#{fragment}", **window)
        one_browser.wait_for(ready)
        return one_browser

    yield visit
    complaints, one_browser.complaints = one_browser.complaints, []
    assert complaints == []
