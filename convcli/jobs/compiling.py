"""Who is told while loops are compiled: from Python a line on a terminal, a logger, or a function of the caller's.

The command line says it in its own way (`tell_only`). How loops are compiled is `convcli.loops.compiling`'s.
"""

import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from convcli.errors import ConvcliError, printable, shortened

if TYPE_CHECKING:
    from convcli.loops.compiling.waiting import Compiling

_TELL: "list[Callable[[Compiling], object]]" = []  # one at most, in the place of the line
_UNDER_WAY: list[bool] = []  # a beginning has been logged, and its end has not


def on_compiling(tell: "Callable[[Compiling], object] | None") -> None:
    """Have a function called while loops are compiled, instead of the line that a terminal shows.

    The first call of a function may compile a loop, which takes some seconds and is kept for later runs. Whatever is
    set here, the logger ``convcli`` gets a line at level INFO when that begins and when it has ended.

    Parameters
    ----------
    tell : callable or None
        Called about twice a second with a state: ``what`` it is for, if that is known, ``done`` of ``total`` loops,
        ``seconds`` so far, and whether it is ``over``. None: the line again, on a terminal or in a notebook.

    Examples
    --------
    >>> on_compiling(lambda state: print(f"{state.done} of {state.total}"))
    >>> on_compiling(None)
    """
    if tell is not None and not callable(tell):
        raise ConvcliError(f"tell: got {shortened(tell)}, expected a function, or None")
    _TELL[:] = [] if tell is None else [tell]
    listen()


def tell_only(tell: "Callable[[Compiling], object]") -> None:
    """Leave all telling to this function, of a command."""
    from convcli.loops.compiling import compiler

    _TELL[:] = [tell]
    compiler.on_compiling(_hear)


def listen() -> None:
    """Hear of compilation from now on, if nobody does."""
    from convcli.loops.compiling import compiler

    compiler.on_compiling(_hear)


def _hear(state: "Compiling") -> None:
    words = f"compiling loops{' for ' * bool(state.what)}{printable(state.what)}"
    if state.over or not _UNDER_WAY:
        ended = f": {state.done} done, {state.seconds:.1f} s" * state.over
        logging.getLogger("convcli").info(f"{words}{ended}")
    _UNDER_WAY[:] = [True] * (not state.over)
    if _TELL:
        try:
            _TELL[0](state)
        except Exception as error:  # the caller's function, whose failure is not the loop's
            _TELL.clear()
            logging.getLogger("convcli").error(
                f"the function given to on_compiling raised {type(error).__name__}: {error}; it is not called again"
            )
    elif _is_seen():
        far = f"{words} (kept for later): {min(state.done + 1, state.total)} of {state.total}, {state.seconds:.0f} s"
        sys.stderr.write(f"\r{' ' * 79 if state.over else far[:79]}{chr(13) * state.over}")
        sys.stderr.flush()


def _is_seen() -> bool:
    """Whether standard error is a terminal, or a notebook's."""
    if sys.stderr is None:
        return False
    return sys.stderr.isatty() or type(sys.stderr).__module__.startswith("ipykernel")
