"""The flow of patients through a trial, from the rows of its analysis populations.

CONSORT 2010 (randomised trials) and STARD 2015 (diagnostic accuracy) ask for one figure: how many
came in, how many were left at each step, and why the others were not. It is made from the rows
that the dataset of populations has, so that a box and a table can't disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from trials.populations import PATIENT, Reason, once, sentences, wider_of


@dataclass(frozen=True, slots=True)
class Row:
    """A unit of a population: what the rule proposes and why, and what a review decided.

    `scan` is empty of a patient. `standing` is a word of STANDINGS of the review that decided;
    `decided` is None where none did.
    """

    trial: str
    site: str
    patient: int
    identifier: str
    population: str
    label: str
    level: str
    scan: str
    proposed: bool
    reasons: tuple[Reason, ...]
    is_proposed_rule: bool = True
    decided: bool | None = None
    decision_reason: str = ""
    review: int | None = None
    standing: str = ""
    # What changed of the unit's patient since the review froze it.
    changes: tuple[str, ...] = ()
    signed_by: str = ""
    signed_at: str = ""

    @property
    def is_in(self) -> bool:
        """Whether it is counted: as decided, else as proposed."""
        return self.proposed if self.decided is None else self.decided

    @property
    def is_overruled(self) -> bool:
        """Whether a review decided otherwise than the rule proposes now."""
        return self.decided is not None and self.decided != self.proposed

    @property
    def group(self) -> str:
        """What it is counted under where it is out."""
        if self.is_overruled:
            return "Decided in the data review"
        return self.reasons[0].group if self.reasons else "No reason is recorded"

    @property
    def not_in(self) -> list[str]:
        """The wider populations that the unit is out of too."""
        return wider_of(self.reasons)

    @property
    def own_sentences(self) -> list[str]:
        """The reasons in sentences, without the wider populations' names."""
        return once(self.reasons)

    @property
    def why(self) -> str:
        """All reasons in sentences, each once."""
        told = " ".join(sentences(self.reasons))
        if self.decision_reason:
            verdict = "in" if self.is_in else "out"
            return (
                f"Decided {verdict} in the data review: {self.decision_reason} (The rule: {told})"
            )
        return told


STANDS, OVERTAKEN, BROKEN = "stands", "overtaken", "broken"
STANDINGS = {
    STANDS: "Signed, and nothing changed since",
    OVERTAKEN: "Signed, and the record changed since",
    BROKEN: "Signed, and what is stored is not what was signed",
}


@dataclass(frozen=True, slots=True)
class Left:
    """Those who did not reach a step for one reason, by identifier."""

    reason: str
    patients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """A step of the flow: who is in it, and who of the step before is not, by reason.

    `joined` are those in it who were not in the step before: the populations are not nested there,
    and the numbers of both steps don't subtract.
    """

    population: str
    label: str
    patients: tuple[str, ...]
    left: tuple[Left, ...] = ()
    joined: tuple[str, ...] = ()
    standing: str = ""
    is_decided: bool = False

    @property
    def number(self) -> int:
        return len(self.patients)

    @property
    def number_left(self) -> int:
        return sum(len(one.patients) for one in self.left)


@dataclass(frozen=True, slots=True)
class Flow:
    """The steps from who was screened to the narrowest population of patients."""

    boxes: tuple[Box, ...] = field(default=())

    @property
    def text(self) -> str:
        """The figure in words, for who does not see it."""
        return " ".join(_sentence(one) for one in self.boxes)


SCREENED = "SCREENED"


def flow(rows: Iterable[Row]) -> Flow:
    """The flow of the populations of patients, in the order in which the rows name them."""
    of_patients: dict[str, list[Row]] = {}
    for row in rows:
        if row.level == PATIENT:
            of_patients.setdefault(row.population, []).append(row)
    if not of_patients:
        return Flow()
    everyone = dict.fromkeys(row.identifier for found in of_patients.values() for row in found)
    boxes = [Box(SCREENED, "Screened", tuple(sorted(everyone)))]
    for name, found in of_patients.items():
        boxes.append(_box(name, found, boxes[-1]))
    return Flow(tuple(boxes))


def _box(name: str, rows: Sequence[Row], before: Box) -> Box:
    inside = {row.identifier for row in rows if row.is_in}
    earlier = set(before.patients)
    groups: dict[str, list[str]] = {}
    for row in rows:
        if row.identifier in earlier - inside:
            groups.setdefault(row.group, []).append(row.identifier)
    known = {row.identifier for row in rows}
    if unknown := sorted(earlier - inside - known):
        groups["No unit of this population"] = unknown
    left = [Left(reason, tuple(sorted(found))) for reason, found in groups.items()]
    left.sort(key=lambda one: (-len(one.patients), one.reason))
    return Box(
        population=name,
        label=rows[0].label,
        patients=tuple(sorted(inside)),
        left=tuple(left),
        joined=tuple(sorted(inside - earlier)),
        standing=_standing(rows),
        is_decided=any(row.decided is not None for row in rows),
    )


def _standing(rows: Sequence[Row]) -> str:
    """The worst of what the rows say of their review."""
    said = {row.standing for row in rows}
    return next((one for one in (BROKEN, OVERTAKEN, STANDS) if one in said), "")


def _sentence(box: Box) -> str:
    told = f"{box.label}: {box.number}."
    if box.left:
        reasons = "; ".join(f"{one.reason}: {len(one.patients)}" for one in box.left)
        told += f" Not among them {box.number_left}: {reasons}."
    if box.joined:
        told += f" {len(box.joined)} of them were not in the step before."
    return told
