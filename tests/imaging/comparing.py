"""Two scans of a patient, read and signed by one reader, to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from imaging.models import Quantification, Read
from imaging.selectors import reads as selecting
from imaging.services import reads
from tests import factories, records
from tests.factories import NOON, PASSWORD
from tests.records import Block
from trials.models import Patient, PlannedScan, ScheduledScan, Site, Tracer, User
from trials.roles import Role
from trials.services import scans

# Hot blocks of 64 voxels of 4 x 4 x 3 mm: one of both scans, a column of 4 mm apart, and one more
# of each, some 32 mm away in rows and columns.
SHARED, SHARED_BESIDE = (4, 10, 10), (4, 10, 11)
MORE_OF_FIRST, MORE_OF_SECOND = (4, 2, 2), (4, 18, 18)


@dataclass
class TwoScans:
    """Pentixafor first, FDG second; `reader` holds no other role."""

    first: Quantification
    second: Quantification
    reader: User

    @property
    def site(self) -> Site:
        return self.first.series.imaging_study.scheduled_scan.patient.site

    def signed(self, run: Quantification, **said) -> Read:
        """A signed read of a run that calls each of its regions a lesion."""
        read = reads.open_read(run.series, by=self.reader, reason="once more")
        for row in selecting.rows_of(read):
            reads.decide(row, by=self.reader, decision="accepted", **said)
        reads.sign(read, by=self.reader, password=PASSWORD)
        return Read.objects.get(pk=read.pk)

    def both_signed(self, **said) -> tuple[Read, Read]:
        return self.signed(self.first, **said), self.signed(self.second, **said)


def make_fdg_scan(patient: Patient, *, by: User, days: int = 3) -> ScheduledScan:
    """A scan with FDG of a patient whose trial plans Pentixafor alone."""
    version = patient.site.version_in_force
    with factories.framed():
        fdg, _ = Tracer.objects.get_or_create(
            version=version,
            identifier="FDG",
            defaults={"name": "[18F]FDG", "radionuclide": "F-18"},
        )
        like = PlannedScan.objects.get(version=version, identifier="scan_ptf")
        plan, _ = PlannedScan.objects.get_or_create(
            version=version,
            identifier="scan_fdg",
            defaults={"tracer": fdg, "label": "FDG PET/CT", "segmentation": like.segmentation},
        )
    return scans.schedule(patient, planned_scan=plan, planned_at=NOON + timedelta(days), by=by)


def make_two_scans(
    site,
    *,
    by: User,
    first: Sequence[Block] = (SHARED, MORE_OF_FIRST),
    second: Sequence[Block] = (SHARED_BESIDE, MORE_OF_SECOND),
    frame: str = "",
) -> TwoScans:
    """Measured scans with two tracers; `frame` is that of the second, the first's if empty."""
    patient = factories.make_enrolled(site, by=by)
    return TwoScans(
        records.make_measured(factories.make_scan(patient, by=by), by=by, blocks=first),
        records.make_measured(make_fdg_scan(patient, by=by), by=by, blocks=second, frame=frame),
        factories.make_user(Role.READER, trial=site.trial, site=site),
    )
