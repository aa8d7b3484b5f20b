"""Comparisons of lesions as their reader sees them, and as they stand for the trial."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, groupby

from django.db.models import Q, QuerySet

from imaging.models import LesionComparison, LesionPair, LesionRead, Read
from trials.models import User

SCAN = "quantification__series__imaging_study__scheduled_scan"


def own(user: User) -> QuerySet[LesionComparison]:
    """The comparisons of one reader. No reader sees another's."""
    return with_reads(LesionComparison.objects.filter(reader=user))


def standing(comparisons: QuerySet[LesionComparison]) -> QuerySet[LesionComparison]:
    """Those that are signed and not overtaken: by another, by another read, by another run."""
    return with_reads(comparisons).filter(is_standing())


def is_standing(prefix: str = "") -> Q:
    """What holds of a comparison that stands, asked of rows that lead to it."""
    signed = {f"{prefix}state": LesionComparison.State.SIGNED, f"{prefix}superseded_by": None}
    return Q(_stands(f"{prefix}first__"), _stands(f"{prefix}second__"), **signed)


def is_current(comparison: LesionComparison) -> bool:
    """Whether both of its reads stand."""
    return stands(comparison.first) and stands(comparison.second)


def standing_reads() -> QuerySet[Read]:
    """Reads that are signed and not overtaken, by another read or another run, nor ended."""
    return Read.objects.filter(_stands(""))


def stands(read: Read) -> bool:
    """Whether a read stands; asked anew."""
    return standing_reads().filter(pk=read.pk).exists()


def _stands(prefix: str) -> Q:
    return Q(
        **{
            f"{prefix}state": Read.State.SIGNED,
            f"{prefix}superseded_by": None,
            f"{prefix}ended_at": None,
            f"{prefix}quantification__is_current": True,
            f"{prefix}quantification__series__counts": True,
        }
    )


def signed_of(first: Read, second: Read) -> LesionComparison | None:
    """The signed comparison of two reads that another would take the place of."""
    return LesionComparison.objects.filter(
        first=first, second=second, state=LesionComparison.State.SIGNED, superseded_by=None
    ).first()


def pairs_of(comparison: LesionComparison) -> list[LesionPair]:
    """The pairs that stand, each with its lesions and what is measured on them; one query."""
    rows = comparison.pairs.exclude(status=LesionPair.Status.REJECTED)
    return list(
        rows.select_related(
            "first__lesion", "first__grown", "second__lesion", "second__grown", "comparison"
        )
    )


def lesions_of(read: Read) -> list[LesionRead]:
    """What a read calls lesions, with what is measured on them; one query."""
    rows = read.lesion_reads.filter(decision=LesionRead.Decision.ACCEPTED)
    return list(rows.select_related("lesion", "grown", "read__quantification__series"))


@dataclass(frozen=True)
class Comparable:
    """Two reads of one reader that can be compared, and the comparison that there is of them."""

    reads: tuple[Read, Read]
    comparison: LesionComparison | None


def comparable(user: User) -> list[Comparable]:
    """The standing reads of a reader, two and two of one patient; two queries.

    In the order of reading identifiers, which say nothing of patient or time.
    """
    reads = (
        standing_reads()
        .filter(reader=user)
        .select_related(f"{SCAN}__patient", f"{SCAN}__planned_scan__tracer")
    )
    made = {
        frozenset((row.first_id, row.second_id)): row
        for row in own(user).exclude(state=LesionComparison.State.OVERTAKEN).order_by("pk")
    }
    rows = [
        Comparable(two, made.get(frozenset(one.pk for one in two)))
        for mine in _by_patient(reads)
        for two in combinations(mine, 2)
        if _scan(two[0]) != _scan(two[1])
    ]
    return sorted(rows, key=lambda row: [_identifier(one) for one in row.reads])


def _by_patient(reads: QuerySet[Read]) -> Iterator[list[Read]]:
    key = lambda read: _scan(read).patient_id  # noqa: E731  a key, used twice
    for _, mine in groupby(sorted(reads, key=key), key=key):
        yield sorted(mine, key=_identifier)


def _identifier(read: Read) -> str:
    return read.quantification.series.reading_identifier


def _scan(read: Read):
    return read.quantification.series.imaging_study.scheduled_scan


def with_reads(rows: QuerySet[LesionComparison]) -> QuerySet[LesionComparison]:
    """Comparisons with their reads back to patient and tracer; no query more."""
    return rows.select_related(
        "reader",
        *(f"{side}__{SCAN}__patient" for side in ("first", "second")),
        *(f"{side}__{SCAN}__planned_scan__tracer" for side in ("first", "second")),
    )
