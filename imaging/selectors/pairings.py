"""The paired table of two tracers, from signed comparisons that stand, with its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from django.db.models import QuerySet

from imaging.matching import Outcome
from imaging.models import LesionComparison, LesionPair, LesionRead
from imaging.paired_table import PairedSite, PairedTable, of_patient, paired_table
from imaging.selectors import comparisons as selecting
from trials import permissions
from trials.models import Patient, PlannedScan, ScheduledScan, Trial, User

Lesions = Mapping[tuple[int, int], LesionRead]


@dataclass(frozen=True)
class Row:
    """One place of disease of a patient, with the lesions that it is made of."""

    patient: Patient
    pair: LesionPair
    firsts: tuple[LesionRead, ...]
    seconds: tuple[LesionRead, ...]

    @property
    def site(self) -> PairedSite:
        """As the table counts it; a lesion that the reader called negative is none."""
        return PairedSite(
            patient=str(self.patient.pk),
            region=self.pair.region,
            is_first=_is_positive(self.firsts),
            is_second=_is_positive(self.seconds),
            is_covered=self.pair.outcome != LesionPair.Outcome.NOT_COVERED,
        )

    @property
    def outcome(self) -> Outcome:
        return self.site.outcome


@dataclass(frozen=True)
class Table:
    """The paired table of one reader and two planned scans, with the rows behind it."""

    trial: Trial
    reader: User
    first: PlannedScan
    second: PlannedScan
    comparisons: tuple[LesionComparison, ...]
    rows: tuple[Row, ...]
    counts: PairedTable

    @property
    def first_tracer(self) -> str:
        return self.first.tracer.name

    @property
    def second_tracer(self) -> str:
        return self.second.tracer.name

    @property
    def compared(self) -> int:
        """Patients with a signed comparison."""
        return len({scan_of(one).patient_id for one in self.comparisons})

    def patients(self, region: str = "") -> dict[Patient, Outcome]:
        """What the two tracers show of who was compared, or of who has a place in a region."""
        found: dict[Patient, list[PairedSite]] = {}
        if not region:
            found = {scan_of(one).patient: [] for one in self.comparisons}
        for row in self.rows:
            if not region or row.pair.region == region:
                found.setdefault(row.patient, []).append(row.site)
        return {patient: of_patient(sites) for patient, sites in found.items()}

    def elsewhere(self, region: str) -> list[Patient]:
        """The patients who were compared and have no place of disease in a region."""
        there = self.patients(region)
        return [patient for patient in self.patients() if patient not in there]


def listed(user: User) -> QuerySet[LesionComparison]:
    """The comparisons that a person may see as counts: none where they may read as well."""
    rows = permissions.listed(LesionComparison.objects, user, "comparison.view")
    read_by_them = LesionComparison.objects.visible_to(user, "reading.view").order_by()
    return rows.exclude(pk__in=read_by_them.values("pk"))


def tables(comparisons: QuerySet[LesionComparison]) -> list[Table]:
    """A table for each trial, reader and two planned scans of two tracers; three queries."""
    standing = selecting.standing(comparisons).filter(kind=LesionComparison.Kind.TRACERS)
    standing = standing.select_related(
        "reader", f"first__{selecting.SCAN}__patient__trial", f"first__{selecting.SCAN}__patient"
    )
    made = sorted(standing, key=_group)
    pairs = _pairs(made)
    lesions = _lesions(made)
    return [_table(tuple(several), pairs, lesions) for _, several in groupby(made, key=_group)]


def scan_of(comparison: LesionComparison, side: str = "first") -> ScheduledScan:
    """The scan of one side of a comparison."""
    return getattr(comparison, side).quantification.series.imaging_study.scheduled_scan


def _group(one: LesionComparison) -> tuple:
    first, second = scan_of(one), scan_of(one, "second")
    plans = first.planned_scan.identifier, second.planned_scan.identifier
    return first.patient.trial.identifier, plans, one.reader_id


def _pairs(made: Sequence[LesionComparison]) -> dict[int, list[LesionPair]]:
    rows = LesionPair.objects.filter(comparison__in=made)
    found: dict[int, list[LesionPair]] = {}
    for pair in rows.exclude(status=LesionPair.Status.REJECTED):
        found.setdefault(pair.comparison_id, []).append(pair)
    return found


def _lesions(made: Sequence[LesionComparison]) -> Lesions:
    reads = [pk for one in made for pk in (one.first_id, one.second_id)]
    rows = LesionRead.objects.filter(read__in=reads).select_related("lesion", "grown")
    return {(row.read_id, row.number): row for row in rows}


def _table(
    made: tuple[LesionComparison, ...], pairs: Mapping[int, list[LesionPair]], lesions: Lesions
) -> Table:
    rows = tuple(row for one in made for row in _rows(one, pairs.get(one.pk, []), lesions))
    first, second = scan_of(made[0]), scan_of(made[0], "second")
    return Table(
        trial=first.patient.trial,
        reader=made[0].reader,
        first=first.planned_scan,
        second=second.planned_scan,
        comparisons=made,
        rows=rows,
        counts=paired_table(
            [row.site for row in rows], patients=[str(scan_of(one).patient_id) for one in made]
        ),
    )


def _rows(one: LesionComparison, pairs: Sequence[LesionPair], lesions: Lesions) -> Iterator[Row]:
    by_pk = {row.pk: row for row in lesions.values()}
    for pair in pairs:
        yield Row(
            scan_of(one).patient,
            pair,
            _members(one.first_id, by_pk.get(pair.first_id or 0), pair.first_parts, lesions),
            _members(one.second_id, by_pk.get(pair.second_id or 0), pair.second_parts, lesions),
        )


def _members(
    read: int, named: LesionRead | None, parts: Sequence[int], lesions: Lesions
) -> tuple[LesionRead, ...]:
    """The lesion that a pair names, then its parts."""
    others = (lesions[read, number] for number in parts)
    return (named, *others) if named else tuple(others)


def _is_positive(rows: Sequence[LesionRead]) -> bool:
    return any(row.positivity != LesionRead.Positivity.NEGATIVE for row in rows)
