"""What the demo says while it works and at its end: steps, tables, a derivation as a tree."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

RULE = "─"


class Narration:
    """Prints steps as they begin and remembers how long each took."""

    def __init__(self) -> None:
        self.seconds: list[tuple[str, float]] = []
        self._phase = ""

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        print(f"\n{title}", flush=True)
        begun = time.monotonic()
        yield
        self.seconds.append((title, time.monotonic() - begun))

    def say(self, text: str) -> None:
        self._clear()
        print(f"  {text}", flush=True)

    def progress(self, text: str) -> None:
        """A line that the next one replaces; in a file, only where a new phase begins."""
        if sys.stdout.isatty():
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K  {text}"[: width + 4], end="", flush=True)
            self._phase = text
        elif (phase := re.sub(r"\d+", "", text)) != self._phase:
            print(f"  {text}", flush=True)
            self._phase = phase

    def _clear(self) -> None:
        if self._phase and sys.stdout.isatty():
            print("\r\x1b[K", end="")
        self._phase = ""


def heading(text: str) -> str:
    return f"\n{text}\n{RULE * len(text)}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1) -> str:
    """Columns as wide as they need: the first few are texts, the others numbers."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [
        "   ".join(
            cell.ljust(width) if i < texts else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [head, *rows]
    ]
    return "\n".join([lines[0], RULE * max(map(len, lines)), *lines[1:]])


def tree(node: dict, *, lead: str = "", branch: str = "") -> str:
    """A derivation as the API gives it: each value above what it was computed from."""
    shown = [lead + branch + _line(node)]
    below = lead + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
    inputs = node["inputs"]
    for number, one in enumerate(inputs, start=1):
        last = number == len(inputs)
        shown.append(tree(one, lead=below, branch="└─ " if last else "├─ "))
    return "\n".join(shown)


def _line(node: dict) -> str:
    shown = _shown(node["value"])
    parts = [node["label"], f"{shown} {node['unit']}".strip()] if shown else [node["label"]]
    if not shown and not node["inputs"]:
        parts.append("–")
    line, source = ": ".join(parts), node["source"].strip()
    return f"{line}  ({source})" if source else line


def _shown(value: object) -> str:
    """A value as a person writes it; of a list its members, of an object its fields in use."""
    if isinstance(value, float):
        return f"{value:.8g}"
    if isinstance(value, dict):
        value = [one for one in value.values() if one is not None]
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return "" if value is None else str(value)
