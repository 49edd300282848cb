"""What C libraries write to the process's own standard error, caught before it is seen.

Some report oddities neither by an exception nor by a callback but with fprintf. The stream belongs to the whole
process, so one thread at a time catches it, and only around libraries known to write there.
"""

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator

_STDERR = 2
_MOST = 1 << 12
_one_at_a_time = threading.Lock()


@contextlib.contextmanager
def native_messages() -> Iterator[list[str]]:
    """Run a block with the descriptor of standard error turned away; its lines are in the list when the block ends."""
    messages: list[str] = []
    with _one_at_a_time, tempfile.TemporaryFile() as caught:
        try:
            kept = os.dup(_STDERR)
        except OSError:  # it is closed: nothing can be written there
            yield messages
            return
        try:
            os.dup2(caught.fileno(), _STDERR)
            yield messages
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
        caught.seek(0)
        text = caught.read(_MOST).decode("utf-8", "replace")
        messages += [" ".join(line.split()) for line in text.splitlines() if line.strip()]
