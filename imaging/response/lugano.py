"""Deauville five-point scale and the metabolic arm of the Lugano classification of 2014.

    1  no uptake above the surroundings
    2  at most that of the mediastinum
    3  above the mediastinum, at most that of the liver
    4  moderately above the liver
    5  markedly above the liver, or a new lesion
    X  new uptake that is unlikely to be lymphoma

    CMR  score 1, 2 or 3       PMR  4 or 5, less uptake than at baseline
    SMD  4 or 5, unchanged     PMD  4 or 5, more uptake, or new foci

Readers score by eye. A score from SUV is a second opinion and kept apart, and what "markedly"
means is protocol data: two to three times the liver is usual. The mistake to fear is a category
where the table has no row, such as a nodal response beside persistent marrow: that is for the
readers, and not evaluable here.

References
----------
Cheson et al., J Clin Oncol 2014;32:3059, table 3; Barrington et al., ibid. 3048; tables as in
PMC5298348, T4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from imaging.cut_offs import exceeds, is_measured, is_positive, words
from imaging.response.terms import (
    Category,
    Number,
    Response,
    answer,
    fdg_flags,
    numbers,
    unanswered,
)

DEAUVILLE = "Deauville five-point scale"
DEAUVILLE_SOURCE = "Barrington et al., J Clin Oncol 2014;32:3048; PMC5298348, table 4"
LUGANO = "Lugano 2014"
LUGANO_SOURCE = "Cheson et al., J Clin Oncol 2014;32:3059, table 3; PMC5298348, table 4"

Score = Literal["1", "2", "3", "4", "5", "X"]
Uptake = Literal["reduced", "unchanged", "increased"]
Marrow = Literal["none", "reduced", "unchanged", "new"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeauvilleUptake:
    """SUV in g/mL of the hottest residual lesion and of what it is compared with.

    `statistic` says which SUV of the references is meant, such as "SUVmax". None is not
    measured.
    """

    lesion: float | None
    surroundings: float | None
    mediastinum: float | None
    liver: float | None
    has_new_lesion: bool | None
    statistic: str


def deauville(uptake: DeauvilleUptake, *, marked_factor: float, tracer: str) -> Response:
    """Score "1" to "5" that these SUV stand for, or NE.

    Parameters
    ----------
    uptake : DeauvilleUptake
        SUV in g/mL.
    marked_factor : float
        Multiple of the liver above which uptake is markedly higher; protocol data, above 1.
    tracer : str
        The scale is flagged for any but FDG.
    """
    against = (
        *_not_comparable(uptake, marked_factor),
        *unanswered([("there is a new lesion", uptake.has_new_lesion)]),
    )
    category: Category = "NE"
    reasons: tuple[str, ...] = against
    if not against:
        category, why = _score(uptake, marked_factor)
        reasons = (why,)
    return answer(
        category,
        reasons,
        scale=DEAUVILLE,
        source=DEAUVILLE_SOURCE,
        used=() if against else _used(uptake, marked_factor),
        flags=fdg_flags(tracer),
    )


def _used(uptake: DeauvilleUptake, marked_factor: float) -> tuple[Number, ...]:
    return numbers(
        (f"{uptake.statistic} of the lesion", uptake.lesion, "g/mL"),
        (f"{uptake.statistic} of the surroundings", uptake.surroundings, "g/mL"),
        (f"{uptake.statistic} of the mediastinum", uptake.mediastinum, "g/mL"),
        (f"{uptake.statistic} of the liver", uptake.liver, "g/mL"),
        ("Multiple of the liver that is markedly above", marked_factor, ""),
    )


def _not_comparable(uptake: DeauvilleUptake, marked_factor: float) -> Iterator[str]:
    if not is_measured(uptake.lesion):
        yield f"{uptake.statistic} of the lesion is missing"
    for name in ("surroundings", "mediastinum", "liver"):
        if not is_positive(getattr(uptake, name)):
            yield f"{uptake.statistic} of the {name} is missing or not positive"
    if not (math.isfinite(marked_factor) and marked_factor > 1):
        yield f"the multiple of the liver must be above 1, got {marked_factor:g}"


def _score(uptake: DeauvilleUptake, marked_factor: float) -> tuple[Category, str]:
    if uptake.has_new_lesion:
        return "5", "a new lesion"
    lesion, liver = uptake.lesion or 0.0, uptake.liver or 0.0
    ceilings: tuple[tuple[Category, float, str], ...] = (
        ("1", uptake.surroundings or 0.0, "not above the surroundings"),
        ("2", uptake.mediastinum or 0.0, "not above the mediastinum"),
        ("3", liver, "above the mediastinum and not above the liver"),
        ("4", marked_factor * liver, f"above the liver, at most {marked_factor:g} times it"),
    )
    for score, ceiling, why in ceilings:
        if not exceeds(lesion, ceiling):
            return score, f"{_lesion_words(uptake, ceiling)} is {why} ({words(ceiling)} g/mL)"
    return "5", (
        f"{_lesion_words(uptake, marked_factor * liver)} is more than {marked_factor:g} times "
        f"the liver ({words(liver)} g/mL)"
    )


def _lesion_words(uptake: DeauvilleUptake, ceiling: float) -> str:
    return f"{uptake.statistic} of {words(uptake.lesion or 0.0, ceiling)} g/mL"


@dataclass(frozen=True, slots=True, kw_only=True)
class LuganoReading:
    """What a reader says of the scan; None is not said.

    `uptake` is against the baseline, and asked for scores 4 and 5. `marrow` is "none" where no
    FDG-avid disease is there, "new" also where it has come back.
    """

    score: Score | None
    uptake: Uptake | None
    # Consistent with lymphoma, and not explained by infection or inflammation.
    has_new_foci: bool | None
    marrow: Marrow | None


@dataclass(frozen=True, slots=True)
class _Row:
    category: Category
    scores: str
    uptake: frozenset[str | None]
    new_foci: frozenset[bool]
    marrow: frozenset[str | None]
    why: str


_ANY_UPTAKE: frozenset[str | None] = frozenset({"reduced", "unchanged", "increased", None})
_ANY_MARROW: frozenset[str | None] = frozenset({"none", "reduced", "unchanged", "new", None})
_EITHER, _NO, _YES = frozenset({True, False}), frozenset({False}), frozenset({True})

# Table 3 of Cheson et al., PET-CT-based response; the first row that fits.
_TABLE = (
    _Row("PMD", "45", _ANY_UPTAKE, _YES, _ANY_MARROW, "new foci"),
    _Row("PMD", "45", _ANY_UPTAKE, _EITHER, frozenset({"new"}), "new foci in the marrow"),
    _Row("PMD", "45", frozenset({"increased"}), _NO, _ANY_MARROW, "more uptake than at baseline"),
    _Row("CMR", "123", _ANY_UPTAKE, _NO, frozenset({"none"}), "no FDG-avid disease"),
    _Row(
        "PMR",
        "45",
        frozenset({"reduced"}),
        _NO,
        frozenset({"none", "reduced"}),
        "less uptake than at baseline",
    ),
    _Row(
        "SMD",
        "45",
        frozenset({"unchanged"}),
        _NO,
        frozenset({"none", "unchanged"}),
        "no change of uptake from baseline",
    ),
)


def lugano(reading: LuganoReading, *, tracer: str) -> Response:
    """Metabolic response by Lugano 2014, or NE where the table has no row.

    Parameters
    ----------
    reading : LuganoReading
        The reader's score and what goes with it.
    tracer : str
        The scale is flagged for any but FDG.
    """
    category: Category = "NE"
    reasons = tuple(_unread(reading))
    if not reasons:
        category, reasons = _by_table(reading)
    score = reading.score if reading.score and reading.score != "X" else "nan"
    return answer(
        category,
        reasons,
        scale=LUGANO,
        source=LUGANO_SOURCE,
        used=numbers(("Deauville score", float(score), "")),
        flags=fdg_flags(tracer),
    )


def _unread(reading: LuganoReading) -> Iterator[str]:
    if reading.score is None:
        yield "there is no Deauville score"
    elif reading.score == "X":
        yield "score X says nothing of the lymphoma; give the score of its known sites"
    elif reading.score in "45" and reading.uptake is None and not _has_new_sites(reading):
        yield "nobody says how uptake compares with baseline"
    if reading.marrow is None and not reading.has_new_foci:
        yield "nobody says whether the marrow is involved"
    yield from unanswered([("there are new foci", reading.has_new_foci)])


def _has_new_sites(reading: LuganoReading) -> bool:
    """Which is progression, however the uptake of known sites compares."""
    return reading.has_new_foci is True or reading.marrow == "new"


def _by_table(reading: LuganoReading) -> tuple[Category, tuple[str, ...]]:
    score = f"score {reading.score}"
    for row in _TABLE:
        if (
            reading.score in tuple(row.scores)
            and reading.uptake in row.uptake
            and reading.has_new_foci in row.new_foci
            and reading.marrow in row.marrow
        ):
            return row.category, (score, row.why)
    if reading.score in ("1", "2", "3") and (reading.has_new_foci or reading.marrow == "new"):
        return "NE", (f"{score} and new foci exclude each other: new foci are score 5",)
    return "NE", (
        f"{score} ({_uptake_words(reading)}) beside marrow involvement that is {reading.marrow} "
        "is no row of the table; the readers decide, by biopsy, MRI or a later scan",
    )


def _uptake_words(reading: LuganoReading) -> str:
    return f"uptake {reading.uptake}" if reading.uptake else "uptake not compared"
