"""Analysis populations as flags: who is in which, and what that rests on.

ADaMIG 1.3 names the flags of the usual populations; one of a trial's own is called by its
identifier. A patient whose data may not be used any more is in none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from reporting.flow import BROKEN, OVERTAKEN
from reporting.formats.names import shortened
from trials.populations import LESION, PATIENT, Population

LONGEST_LABEL = 40
# The flags of ADaMIG 1.3 by what trial files call the population.
STANDARD: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "ENR": ("ENRLFL", "Enrolled Population Flag"),
        "RAND": ("RANDFL", "Randomized Population Flag"),
        "ITT": ("ITTFL", "Intent-To-Treat Population Flag"),
        "SAF": ("SAFFL", "Safety Population Flag"),
        "FAS": ("FASFL", "Full Analysis Set Population Flag"),
        "PP": ("PPROTFL", "Per-Protocol Population Flag"),
        "COMPL": ("COMPLFL", "Completers Population Flag"),
    }
)
# Begin names of flags that say something else.
_TAKEN = frozenset({"DTH", "SCRF", "ABL", "ANL01", "ANL02", "TRACPT"})
PROPOSED, DECIDED, IN_PART = "PROPOSED", "DECIDED", "DECIDED IN PART"
REVIEW_OVERTAKEN, REVIEW_BROKEN = "REVIEW OVERTAKEN", "REVIEW BROKEN"


@dataclass(frozen=True, slots=True)
class Membership:
    """A unit of a population, in or out; `scan` is the link of a scan in SDTM, empty of a patient.

    `is_decided` where a signed review decided it, whose standing is a word of
    reporting.flow.STANDINGS; else the rule proposes.
    """

    usubjid: str
    population: str
    scan: str
    is_in: bool
    is_decided: bool = False
    standing: str = ""


@dataclass(frozen=True, slots=True)
class Flag:
    """The variable of a population."""

    name: str
    label: str
    population: Population


class Populations:
    """The populations of a trial, and who is in them."""

    def __init__(self, stated: Sequence[Population], members: Iterable[Membership]) -> None:
        self.flags = _flags([one for one in stated if one.level == PATIENT])
        self.record_flags = _record_flags([one for one in stated if one.level != PATIENT])
        self._in: set[tuple[str, str, str]] = set()
        # Of units of each patient whether they were decided, and how the review stands.
        self._basis: dict[str, frozenset[tuple[bool, str]]] = {}
        for one in members:
            if one.is_in:
                self._in.add((one.usubjid, one.population, one.scan))
            if not one.scan:
                before = self._basis.get(one.usubjid, frozenset())
                self._basis[one.usubjid] = before | {(one.is_decided, one.standing)}

    def of_subject(self, usubjid: str) -> dict[str, str]:
        """The flags of a patient."""
        return {one.name: self._flag(one, usubjid, "") for one in self.flags}

    def of_scan(self, usubjid: str, scan: str, *, of_lesion: bool) -> dict[str, str]:
        """The flags of what was found in a scan; of no planned scan, none is set."""
        return {
            one.name: self._flag(one, usubjid, scan)
            for one in self.record_flags
            if of_lesion or one.population.level != LESION
        }

    def _flag(self, flag: Flag, usubjid: str, scan: str) -> str:
        return "Y" if (usubjid, flag.population.identifier, scan) in self._in else "N"

    def basis(self, usubjid: str) -> str:
        """What a patient's flags rest on, the worst first; of who is in no population nothing."""
        units = self._basis.get(usubjid, ())
        standings = {standing for _, standing in units}
        if BROKEN in standings:
            return REVIEW_BROKEN
        if OVERTAKEN in standings:
            return REVIEW_OVERTAKEN
        if not units:
            return ""
        decided = {is_decided for is_decided, _ in units}
        if decided == {True, False}:
            return IN_PART
        return DECIDED if decided == {True} else PROPOSED


def _flags(stated: Sequence[Population]) -> tuple[Flag, ...]:
    own = [one.identifier for one in stated if one.identifier not in STANDARD]
    taken = _TAKEN | {name.removesuffix("FL") for name, _ in STANDARD.values()}
    names = shortened([one.lower() for one in own], 6, reserved=taken)
    return tuple(
        Flag(*STANDARD[one.identifier], one)
        if one.identifier in STANDARD
        else Flag(f"{names[one.identifier.lower()].upper()}FL", _label(one), one)
        for one in stated
    )


def _record_flags(stated: Sequence[Population]) -> tuple[Flag, ...]:
    names = shortened([one.identifier.lower() for one in stated], 5)
    return tuple(
        Flag(f"{names[one.identifier.lower()].upper()}RFL", _label(one), one) for one in stated
    )


def _label(population: Population) -> str:
    """
    >>> _label(Population("EVAL", "Evaluable population", "patient", (), True))
    'Evaluable Population Flag'
    """
    words = " ".join(one[:1].upper() + one[1:] for one in population.label.split())
    label = f"{words} Flag"
    return label if len(label) <= LONGEST_LABEL else f"{words[: LONGEST_LABEL - 5].rstrip()} Flag"
