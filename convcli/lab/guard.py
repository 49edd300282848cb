"""Who may ask the lab at all: the right host, the right origin, the token; and what every answer forbids a browser.

The token is the first part of each path, so that relative addresses carry it, no cookie is needed, and a page of
another origin cannot guess one. Host is checked against names that lead elsewhere (DNS rebinding), Origin against
pages of others.
"""

import ipaddress
import re
import secrets
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Whether a host can be reached from this machine alone."""
    return host in LOOPBACK or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


class Guard:
    """Lets through what may ask, with the token taken off its path; answers everything else in one line.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    host, port
        Where the server listens. On all addresses, any address and this machine's name may be in ``Host``.
    token : str
        The secret in the address.
    """

    def __init__(self, app: App, host: str, port: int, token: str) -> None:
        self._app = app
        self._host, self._port, self._token = host, port, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        headers: dict[bytes, bytes] = {}
        twice = False
        for name, value in scope["headers"]:
            twice |= name in headers and name in (b"host", b"origin", b"content-length")
            headers[name] = value
        reason = "a header came twice, expected one" if twice else self._refusal(scope["path"], headers)

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *own]
            await send(message)

        if reason:
            await _refuse(send_with_headers, reason)
            return
        path = scope["path"][len(self._token) + 1 :]
        await self._app({**scope, "path": path, "raw_path": path.encode()}, receive, send_with_headers)

    def _refusal(self, path: str, headers: dict[bytes, bytes]) -> str:
        """Why a request is refused; empty if it is not."""
        host = headers.get(b"host", b"").decode("latin-1")
        if not self._may_be(host):
            return f"host: got {_quoted(host)}, expected the address that convcli lab printed"
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1") != f"http://{host}":
            return f"origin: got {_quoted(origin.decode('latin-1'))}, expected a page of this lab"
        first, slash, _ = path[1:].partition("/")
        if not slash or not secrets.compare_digest(first.encode(), self._token.encode()):
            return "token: missing or wrong, expected the whole address that convcli lab printed"
        return ""

    def _may_be(self, host: str) -> bool:
        name, _, port = (host if re.search(r":\d+$", host) else f"{host}:80").rpartition(":")  # 80 need not be said
        if port != str(self._port):
            return False
        name = name.removeprefix("[").removesuffix("]").lower()
        if name in (*LOOPBACK, self._host.lower()):
            return True
        if is_loopback(self._host):
            return False
        return _is_address(name) or name in (socket.gethostname().lower(), socket.getfqdn().lower())


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _quoted(text: str) -> str:
    return ascii(text[:60]) if text else "none"


async def _refuse(send: Send, reason: str) -> None:
    body = f"{reason}\n".encode()
    length = str(len(body)).encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", length), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
