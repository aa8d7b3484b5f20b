"""What every response scale answers: a category, the sentence why, and the numbers used.

The mistake to fear is a category from something that was not measured. What is missing, not
finite, or a change from nothing is NE, not evaluable, and the sentence says what is missing.

Categories are CDISC's (codelist ONCRSR, C96785; Deauville scores DPETSCRS, C202306).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from imaging.identity import tracer_of

Category = Literal[
    "CMR", "PMR", "SMD", "PMD",
    "CR", "PR", "SD", "PD", "NON-CR/NON-PD",
    "1", "2", "1-2", "3", "4", "5",
    "NE",
]  # fmt: skip

FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "scale-made-for-fdg": "The scale was made for FDG; its cut-offs are not validated for "
        "this tracer.",
        "scan-in-between-not-read": "A scan between the baseline and this one has no signed read "
        "of this reader: the lowest sum and the best response so far are not known.",
        "liver-not-in-30-mm-sphere": "PERCIST measures the liver in a sphere of 30 mm, and that of "
        "a scan has another size: have the reader place it anew with a radius of 15 mm.",
        "compared-by-blood-pool": "The liver of a scan is diseased: measurability, comparability "
        "and complete response go by the blood pool, measured in a sphere, where PERCIST takes "
        "1 cm across and 2 cm along the descending aorta.",
        "peak-of-coarse-voxels": "On a scan voxels are so large against the sphere of SULpeak that "
        "it takes in no neighbour along an axis: where it takes in none at all SULpeak is SULmax.",
        "lean-mass-past-turning": "The patient is so heavy that this lean body mass falls with "
        "more weight; another formula would give another SUL.",
    }
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number that a category rests on."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a scale says. `flags` are keys of `FLAGS`; `source` is the table that was applied."""

    scale: str
    category: Category
    why: str
    numbers: tuple[Number, ...]
    source: str
    flags: tuple[str, ...] = ()
    # The best so far, where the scale has one.
    best: Category | None = None

    @property
    def is_evaluable(self) -> bool:
        """Whether there is a category at all."""
        return self.category != "NE"


def fdg_flags(tracer: str) -> tuple[str, ...]:
    """The flag for a scale made for FDG where the tracer is another one, or not known.

    >>> fdg_flags("18F-FDG"), fdg_flags("68Ga-Pentixafor")
    ((), ('scale-made-for-fdg',))
    """
    return () if tracer_of(tracer) == "FDG" else ("scale-made-for-fdg",)


def unanswered(answers: Iterable[tuple[str, bool | None]]) -> tuple[str, ...]:
    """The claims that nobody has affirmed or denied."""
    return tuple(f"nobody says whether {claim}" for claim, said in answers if said is None)


def numbers(*found: tuple[str, float | None, str]) -> tuple[Number, ...]:
    """The numbers among (name, value, unit) that there are."""
    return tuple(
        Number(name, value, unit)
        for name, value, unit in found
        if value is not None and math.isfinite(value)
    )


def answer(
    category: Category,
    reasons: Iterable[str],
    *,
    scale: str,
    source: str,
    used: tuple[Number, ...] = (),
    flags: tuple[str, ...] = (),
) -> Response:
    """A response whose sentence names the scale, the category and the reasons.

    >>> answer("PD", ["a new lesion"], scale="RECIST 1.1", source="").why
    'RECIST 1.1 PD: a new lesion.'
    """
    verdict = "is not evaluable" if category == "NE" else category
    return Response(
        scale=scale,
        category=category,
        why=f"{scale} {verdict}: {'; '.join(reasons)}.",
        numbers=used,
        source=source,
        flags=flags,
    )
