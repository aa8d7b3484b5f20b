"""Where the boxes of a flow stand, so that a page can draw them: CONSORT's figure, to be read down.

Units are those of the drawing. The steps stand one below the other; who left stands to the right,
beside the arrow to the next step.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from reporting.flow import BROKEN, OVERTAKEN, STANDS, Box, Flow

WIDTH = 1000
STEP_LEFT, STEP_WIDTH = 10, 380
SIDE_LEFT, SIDE_WIDTH = 460, 530
LINE, PADDING, GAP = 19, 14, 22
# Characters that a line of each holds at 14 units.
STEP_LETTERS, SIDE_LETTERS = 44, 64

BASIS = {
    "": "proposed by the rule",
    STANDS: "decided in a signed review",
    OVERTAKEN: "decided, and overtaken since",
    BROKEN: "the signature does not hold",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text at its place."""

    text: str
    y: int
    is_strong: bool = False


@dataclass(frozen=True, slots=True)
class Drawn:
    """A box at its place, with its lines and what it opens: a population, and who of it."""

    x: int
    y: int
    width: int
    height: int
    lines: tuple[Line, ...]
    population: str
    label: str
    tone: str = ""

    @property
    def text_x(self) -> int:
        return self.x + PADDING

    @property
    def middle(self) -> int:
        return self.y + self.height // 2


@dataclass(frozen=True, slots=True)
class Step:
    """A step, who left before it, and the arrow between."""

    box: Drawn
    side: Drawn | None
    arrow_from: int | None

    @property
    def arrow_x(self) -> int:
        return STEP_LEFT + STEP_WIDTH // 2


@dataclass(frozen=True, slots=True)
class Figure:
    """The whole drawing."""

    steps: tuple[Step, ...]
    height: int
    width: int = WIDTH


def figure(flow: Flow) -> Figure:
    """The drawing of a flow.

    >>> figure(Flow()).steps
    ()
    """
    steps, y = [], PADDING
    before: Drawn | None = None
    for one in flow.boxes:
        side, arrow_from = None, None
        if before is not None:
            arrow_from = y
            if one.left or one.joined:
                lines = list(_side_lines(one))
                side = _drawn(SIDE_LEFT, y + GAP, SIDE_WIDTH, lines, one)
                y = side.y + side.height
            y += GAP + LINE
        box = _drawn(STEP_LEFT, y, STEP_WIDTH, list(_step_lines(one)), one)
        steps.append(Step(box, side, arrow_from))
        before, y = box, box.y + box.height
    return Figure(tuple(steps), y + PADDING)


def _step_lines(one: Box) -> Iterator[tuple[str, bool]]:
    for text in textwrap.wrap(one.label, STEP_LETTERS):
        yield text, True
    yield f"n = {one.number}", False
    if one.population != "SCREENED":
        yield BASIS[one.standing], False


def _side_lines(one: Box) -> Iterator[tuple[str, bool]]:
    if one.left:
        yield f"Not in this step: n = {one.number_left}", True
    for group in one.left:
        found = textwrap.wrap(f"{group.reason}: {len(group.patients)}", SIDE_LETTERS)
        yield found[0], False
        yield from ((f"   {text}", False) for text in found[1:])
    if one.joined:
        yield f"In this step, and not in the one before: n = {len(one.joined)}", True


def _drawn(x: int, y: int, width: int, lines: list[tuple[str, bool]], one: Box) -> Drawn:
    placed = tuple(
        Line(text, y + PADDING + LINE * n + 13, is_strong)
        for n, (text, is_strong) in enumerate(lines)
    )
    height = 2 * PADDING + LINE * len(lines) - 3
    return Drawn(x, y, width, height, placed, one.population, one.label, one.standing)
