"""Listening: a socket, an address with a secret in it, and a server that ends with Ctrl-C."""

import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass

import uvicorn

from convcli.errors import ConvcliError
from convcli.lab.app import Lab
from convcli.lab.guard import Guard, is_loopback

MOST_CONNECTIONS = 96


@dataclass(frozen=True, eq=False)
class Bound:
    """A socket that listens already, and the address that leads to it."""

    socket: socket.socket
    host: str
    port: int
    token: str

    @property
    def address(self) -> str:
        """What to open in a browser."""
        host = "127.0.0.1" if self.host == "0.0.0.0" else "::1" if self.host == "::" else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/{self.token}/"

    @property
    def is_open(self) -> bool:
        """Whether other machines can reach it."""
        return not is_loopback(self.host)


def bind(host: str, port: int) -> Bound:
    """Take a port; 0 is any free one. Raises `ConvcliError` where that cannot be had."""
    try:
        kind, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError):
        raise ConvcliError(f"host: got {host!a}, expected a name or an address of this machine") from None
    taken = socket.socket(kind, socket.SOCK_STREAM)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(place)
        taken.listen(128)
    except OSError as error:
        taken.close()
        reason = (error.strerror or str(error)).lower()
        raise ConvcliError(
            f"port: {host}:{port} cannot be had ({reason}); choose another with --port, or 0 for any"
        ) from None
    return Bound(taken, host, taken.getsockname()[1], secrets.token_urlsafe(24))


class Server(uvicorn.Server):
    """Uvicorn, on a socket that is bound already."""

    def __init__(self, bound: Bound, guarded: Guard) -> None:
        self._bound = bound
        config = uvicorn.Config(
            guarded,  # type: ignore[arg-type]
            log_level="critical", access_log=False, lifespan="off", ws="none", http="h11", loop="asyncio",
            limit_concurrency=MOST_CONNECTIONS, timeout_keep_alive=20, timeout_graceful_shutdown=2,
            h11_max_incomplete_event_size=1 << 15, server_header=False, date_header=False, proxy_headers=False,
        )  # fmt: skip
        super().__init__(config)

    def run_here(self) -> None:
        """Serve until Ctrl-C."""
        with suppress(KeyboardInterrupt):
            self.run(sockets=[self._bound.socket])


def serve(lab: Lab, bound: Bound) -> None:
    """Serve the lab until Ctrl-C."""
    try:
        Server(bound, lab.guarded(bound.host, bound.port, bound.token)).run_here()
    finally:
        lab.close()
        bound.socket.close()
