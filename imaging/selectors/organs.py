"""Normal-organ uptake over the scans of a trial, from regions that readers stand for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from django.db.models import QuerySet

from imaging.models import ReferenceRegion
from imaging.organ_uptake import Summary, summary
from trials import permissions
from trials.models import PlannedScan, ScheduledScan, Trial, User, Withdrawal

Kind = ReferenceRegion.Kind
QUANTITIES = {"suvmean": "SUVmean", "suvmax": "SUVmax", "suvpeak": "SUVpeak"}
_SCAN = "quantification__series__imaging_study__scheduled_scan"
NO_MORE_USE = (Withdrawal.Extent.USE, Withdrawal.Extent.DESTROY)


@dataclass(frozen=True)
class Organ:
    """One organ on the scans of one plan; `found` are those with the quantity that was asked."""

    kind: str
    name: str
    rows: tuple[ReferenceRegion, ...]
    values: tuple[float, ...]
    patients: int

    @property
    def found(self) -> Summary:
        return summary(self.values)

    @property
    def lines(self) -> list[tuple[ReferenceRegion, ScheduledScan, float | None]]:
        """Each region with its scan and the net injected activity."""
        return [(one, scan_of(one), net_activity_mbq(one)) for one in self.rows]


@dataclass(frozen=True)
class Table:
    """The organs of one planned scan of a trial, and so of one tracer."""

    trial: Trial
    planned: PlannedScan
    quantity: str
    organs: tuple[Organ, ...]
    scans: int
    patients: int
    # Definitions of SUVpeak; a table of it over two is no table.
    peaks: tuple[str, ...]


def listed(user: User) -> QuerySet[ReferenceRegion]:
    """Regions in organs that a person may see over a trial: none where they may read as well.

    Of the series that counts for its scan and the run that stands; proposals are not among them,
    nor patients who withdrew from the use of their data.
    """
    rows = permissions.listed(ReferenceRegion.objects, user, "organs.view")
    read_by_them = ReferenceRegion.objects.visible_to(user, "reading.view").order_by()
    return (
        rows.filter(
            replaced_at=None,
            lesion=None,
            quantification__is_current=True,
            quantification__series__counts=True,
        )
        .exclude(status=ReferenceRegion.Status.PROPOSED)
        .exclude(**{f"{_SCAN}__patient__withdrawals__extent__in": NO_MORE_USE})
        .exclude(pk__in=read_by_them.values("pk"))
    )


def tables(regions: QuerySet[ReferenceRegion], quantity: str = "suvmean") -> list[Table]:
    """A table for each planned scan of each trial; one query."""
    rows = regions.exclude(**{quantity: None}).select_related(
        f"{_SCAN}__patient__trial",
        f"{_SCAN}__planned_scan__tracer",
        f"{_SCAN}__planned_scan__version",
        f"{_SCAN}__injection",
    )
    made = sorted(rows, key=_group)
    return [_table(tuple(some), quantity) for _, some in groupby(made, key=_group)]


def scan_of(region: ReferenceRegion) -> ScheduledScan:
    return region.quantification.series.imaging_study.scheduled_scan


def net_activity_mbq(region: ReferenceRegion) -> float | None:
    """Net injected activity of the scan of a region; None where no injection is recorded."""
    injection = getattr(scan_of(region), "injection", None)
    return injection.net_activity_mbq if injection else None


def _group(one: ReferenceRegion) -> tuple[str, str, str]:
    """By trial, plan and tracer: the same plan in another protocol version belongs together."""
    scan = scan_of(one)
    plan = scan.planned_scan
    return scan.patient.trial.identifier, plan.identifier, plan.tracer.name


def _table(rows: Sequence[ReferenceRegion], quantity: str) -> Table:
    scan = scan_of(rows[0])
    newest = max((scan_of(one).planned_scan for one in rows), key=lambda plan: plan.version.number)
    return Table(
        trial=scan.patient.trial,
        planned=newest,
        quantity=quantity,
        organs=tuple(_organs(rows, quantity)),
        scans=len({scan_of(one).pk for one in rows}),
        patients=len({scan_of(one).patient_id for one in rows}),
        peaks=tuple(sorted({one.suvpeak_definition for one in rows} - {""})),
    )


def _organs(rows: Sequence[ReferenceRegion], quantity: str) -> Iterator[Organ]:
    for kind in Kind:
        mine = [one for one in rows if one.kind == kind]
        mine.sort(key=lambda one: (scan_of(one).patient.identifier, scan_of(one).pk))
        if mine:
            yield Organ(
                kind=kind.value,
                name=kind.label,
                rows=tuple(mine),
                values=tuple(getattr(one, quantity) for one in mine),
                patients=len({scan_of(one).patient_id for one in mine}),
            )
