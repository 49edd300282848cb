"""One case: files, and either a command line or a Python expression."""

import json
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """What is tried in a folder of its own.

    ``files`` are written first; then ``words`` are given to the command line, which reads ``stdin``, or ``expression``
    is evaluated.
    """

    words: tuple[str, ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)
    expression: str = ""
    stdin: bytes = b""

    def place(self, folder):
        """Write the files."""
        for name, content in self.files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def save(self, folder, title, problems, detail=""):
        """Write what somebody needs who wants to see it again."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.place(folder)
        if self.stdin:
            Path(folder, "STDIN").write_bytes(self.stdin)
        what = "\n".join([title, *problems, "", self.text(), "", detail])
        Path(folder, "WHAT.txt").write_text(what, errors="backslashreplace")

    def text(self):
        """What was done, as Python."""
        if self.expression:
            return f"import convcli, numpy as np\n{self.expression}"
        # JSON's escapes are Python's: lone surrogates and zero bytes stay visible.
        return f"from convcli.cli import run\nrun({json.dumps(list(self.words))})"
