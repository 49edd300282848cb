"""The addresses of the lab: which room answers what, and how a refusal is said."""

from collections.abc import Awaitable, Callable
from functools import partial
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from convcli.errors import ConvcliError
from convcli.lab import asking, kernel_room
from convcli.lab.arithmetic_room import ArithmeticRoom
from convcli.lab.asking import TooLargeError, Words, WordsError
from convcli.lab.digit_room import DigitRoom
from convcli.lab.guard import Guard
from convcli.lab.kernel_room import KernelRoom
from convcli.lab.pictures import MOST_BYTES, MOST_DRAWN_BYTES, Pictures, name_of
from convcli.lab.training_room import TrainingRoom
from convcli.lab.turns import BusyError, Gate, SupersededError, Turns
from convcli.views.explain_page import arithmetic

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_SHARED = "Explained tidy tight format formatWeight cellWeight brief bracketed signed grey css mix inkOn largestOf"
_STATUS: dict[type[Exception], int] = {
    TooLargeError: 413, SupersededError: 409, BusyError: 503, WordsError: 400, ConvcliError: 422,
}  # fmt: skip
# What happens all the time while one plays. A browser writes each such status into its console as an error, so the
# page is told of them in a header.
_USUAL = (409, 422)

Answer = Callable[[Request], Awaitable[Response]]


def static_files() -> dict[str, tuple[str, bytes]]:
    """Every file of the page by its name, with its type: what is not among them cannot be asked for."""
    found = {each.name: each.read_bytes() for each in (files("convcli.lab") / "static").iterdir() if each.is_file()}
    found["arithmetic-of-pixels.js"] = f"{arithmetic()}\nexport {{ {', '.join(_SHARED.split())} }};\n".encode()
    kinds = {name: _TYPES.get(name.rpartition(".")[2]) for name in found}
    return {name: (kind, found[name]) for name, kind in kinds.items() if kind}


class Lab:
    """The lab's state and its application; one for each server."""

    def __init__(self, pictures: Pictures, model: str | None = None, data: str | None = None) -> None:
        self.gate = Gate()
        self.turns = Turns(self.gate)
        self.pictures = pictures
        self.kernels = KernelRoom(pictures)
        self.digits = DigitRoom(model)
        self.arithmetic = ArithmeticRoom()
        self.training = TrainingRoom(self.gate, self.digits, data)
        self._uploading = 0
        self._static = static_files()

    def guarded(self, host: str, port: int, token: str) -> Guard:
        """The application behind its guard."""
        routes = [
            Route("/", partial(self._file, "index.html")),
            Route("/static/{name}", self._static_file),
            Route("/api/start", self._start),
            Route("/api/pictures", self._upload, methods=["POST"]),
            Route("/api/pictures/{key}", self._picture),
            Route("/api/train/choices", self._train_choices),
            Route("/api/train/state", self._train_state),
            Route("/api/train/file", self._train_file),
            Route("/api/train/{way}", self._train_steered, methods=["POST"]),
            Route("/api/digit/look", self._look, methods=["POST"]),
            Route("/api/digit/models", self._models),
            *(
                Route(f"/api/{room}/{name}", self._asks(f"{room}/{name}", getattr(there, name)), methods=["POST"])
                for room, there, names in (
                    ("kernel", self.kernels, ("filter", "response", "explain", "save")),
                    ("arithmetic", self.arithmetic, ("slide", "save", "chain")),
                    ("digit", self.digits, ("unit", "saliency")),
                )
                for name in names
            ),
        ]
        handlers: Any = dict.fromkeys(_STATUS, _refused) | {Exception: _failed, MemoryError: _failed}
        return Guard(Starlette(routes=routes, exception_handlers=handlers), host, port, token)

    def close(self) -> None:
        """End what still runs."""
        self.training.close()
        self.turns.close()

    async def _file(self, name: str, request: Request) -> Response:
        kind, content = self._static[name]
        return Response(content, media_type=kind)

    async def _static_file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._static:
            return Response("no such page\n", 404, media_type="text/plain")
        return await self._file(name, request)

    async def _start(self, request: Request) -> Response:
        return asking.document({"picture": self.pictures.first, **kernel_room.library()})

    async def _upload(self, request: Request) -> Response:
        if self._uploading >= 2:
            raise BusyError("upload: two are under way, expected one at a time; try again in a moment")
        self._uploading += 1
        try:
            data = await asking.body_of(request, MOST_BYTES)
        finally:
            self._uploading -= 1
        name = request.query_params.get("name", "")
        picture = await self.turns.run(_lane(request, "upload"), lambda: self.pictures.add(data, name))
        return asking.document(picture.as_dict())

    async def _look(self, request: Request) -> Response:
        data = await asking.body_of(request, MOST_DRAWN_BYTES)
        name, model = (request.query_params.get(word, "")[:200] for word in ("name", "model"))
        look = partial(self.digits.look, data, name_of(name), model)
        return await self.turns.run(_lane(request, "digit/look"), look)

    async def _models(self, request: Request) -> Response:
        return asking.document(await self.turns.run(_lane(request, "digit/models"), self.digits.models))

    async def _picture(self, request: Request) -> Response:
        key = request.path_params["key"]
        return await self.turns.run(_lane(request, "picture"), lambda: self.kernels.picture(key))

    # A training tells of itself without waiting for the loops, which it has itself.
    async def _train_choices(self, request: Request) -> Response:
        return asking.document(self.training.choices())

    async def _train_state(self, request: Request) -> Response:
        known = request.query_params.get("epochs", "")
        return self.training.state(int(known) if known.isdecimal() and len(known) < 9 else -1)

    async def _train_file(self, request: Request) -> Response:
        return self.training.file()

    async def _train_steered(self, request: Request) -> Response:
        words = await asking.words_of(request)
        way = request.path_params["way"]
        return self.training.start(words) if way == "start" else self.training.steer({"way": way})

    def _asks(self, what: str, work: Callable[[Words], Response]) -> Answer:
        """A route whose words go to a room when their turn comes."""

        async def answer(request: Request) -> Response:
            words = await asking.words_of(request)
            return await self.turns.run(_lane(request, what), lambda: work(words))

        return answer


def _lane(request: Request, what: str) -> str:
    return f"{request.headers.get('x-lab-tab', '')[:40]} {what}"


def _refused(request: Request, error: Exception) -> Response:
    status = next(status for kind, status in _STATUS.items() if isinstance(error, kind))
    answer = _said(" ".join(str(error).split()), status)
    if status in _USUAL and "x-lab-tab" in request.headers:
        answer.status_code, answer.headers["x-lab-status"] = 200, str(status)
    return answer


def _failed(request: Request, error: Exception) -> Response:
    what = "out of memory" if isinstance(error, MemoryError) else f"internal error ({type(error).__name__})"
    return _said(f"{what}: nothing was changed; try something smaller", 500)


def _said(line: str, status: int) -> Response:
    answer = asking.document({"error": line})
    answer.status_code = status
    if status == 413:
        answer.headers["connection"] = "close"
    return answer
