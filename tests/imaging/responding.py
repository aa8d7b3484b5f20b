"""Two scans of a patient with FDG, before and during treatment, to be judged by scales."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from imaging.models import Quantification, Read, ResponseEvaluation
from imaging.selectors import reads as selecting
from imaging.services import reads, regions, response_answers, responses
from tests import factories, records
from tests.factories import PASSWORD
from tests.imaging.reconciling import SHOT
from trials.models import (
    Evidence,
    Injection,
    Job,
    Patient,
    PlannedScan,
    ScheduledScan,
    Site,
    Trial,
    User,
)
from trials.roles import Role
from trials.services import evidence, jobs, scanners, scans

# Two blocks on each other, 16 x 16 x 24 mm: a sphere of 1 mL lies inside, SUVpeak is SUVmax.
HOT = ((2, 10, 10), (6, 10, 10))
BEFORE = 20_000
# SUV of a stored value of 20 000 by hand; see tests/imaging/test_reads.py.
SUV = BEFORE * 2.5 * 70_000 / (370e6 * 2 ** (-3600 / 6586.2))
SCANS: dict[str, Any] = {
    "tracer": "PTF",
    "baseline": "scan_ptf",
    "follow_ups": ["scan_later"],
    "source": ["A"],
}
RULES = [
    {"identifier": "P", "criterion": "percist", "lean_mass": "LBMJANMA", **SCANS},
    {"identifier": "E", "criterion": "eortc", "suv_type": "BW", "cycles": 2, **SCANS},
    {"identifier": "L", "criterion": "lugano", **SCANS},
    {"identifier": "Q", "criterion": "qpet", **SCANS},
]
CALM = {
    "deauville": "4",
    "uptake": "reduced",
    "marrow": "none",
    "new_lesion": "no",
    "grown_visibly": "no",
    "grown_by_fifth": "no",
    "risen_elsewhere": "no",
    "indistinguishable": "no",
    "liver_diseased": "no",
}


@dataclass
class Responding:
    """A baseline and a later scan, measured; `reader` holds no other role."""

    baseline: Quantification
    later: Quantification
    reader: User

    @property
    def patient(self) -> Patient:
        return self.baseline.series.imaging_study.scheduled_scan.patient

    @property
    def trial(self) -> Trial:
        return self.patient.trial

    def signed(self, run: Quantification, *, by: User | None = None, **answers: str) -> Read:
        """A read that calls the hot block a lesion of the liver's neighbour, and answers."""
        by = by or self.reader
        read = reads.open_read(run.series, by=by, reason="once more")
        for row in selecting.rows_of(read):
            reads.decide(row, by=by, decision="accepted", region="nodes_mesenteric")
        if answers:
            response_answers.say(read, answers, by=by)
        reads.sign(read, by=by, password=PASSWORD)
        return Read.objects.get(pk=read.pk)

    def signed_baseline(self, **more) -> Read:
        return self.signed(self.baseline, liver_diseased="no", **more)

    def signed_later(self, **answers: str) -> Read:
        return self.signed(self.later, **{**CALM, **answers})

    def place_livers(self) -> None:
        for run in (self.baseline, self.later):
            place_liver(run, by=self.reader)


def place_liver(run: Quantification, *, by: User):
    return regions.place(run, kind="liver", centre_mm=(12.0, 12.0, 15.0), radius_mm=8.0, by=by)


def work() -> None:
    """Do what is ordered of responses."""
    for job in Job.objects.filter(kind="imaging.evaluate_response", state="queued"):
        responses.evaluate(jobs.claim(job.pk))


def of(rule: str) -> ResponseEvaluation:
    """The evaluation of a rule that stands."""
    return ResponseEvaluation.objects.get(rule=rule, is_current=True)


def make_responding(site: Site, *, by: User, stored: int = 13_990) -> Responding:
    """A trial with a rule of each scale; the later scan holds `stored` where the first holds
    20 000."""
    version = site.version_in_force
    with factories.framed():
        version.definition = {**version.definition, "response": RULES}
        version.save()
        like = PlannedScan.objects.get(version=version, identifier="scan_ptf")
        later, _ = PlannedScan.objects.get_or_create(
            version=version,
            identifier="scan_later",
            defaults={
                "tracer": like.tracer,
                "label": "FDG PET/CT after two cycles",
                "segmentation": like.segmentation,
            },
        )
    patient = factories.make_enrolled(site, by=by)
    with factories.framed():
        patient.date_shift_days = 0
        patient.save(update_fields=["date_shift_days"])
    first = factories.make_scan(patient, by=by, planned_at=SHOT)
    second = scans.schedule(
        patient, planned_scan=later, planned_at=SHOT + timedelta(days=42), by=by
    )
    scanner = scanners.register(site, name="PET 1", manufacturer="GE", model="Discovery", by=by)
    for scan in (first, second):
        _inject(scan, scanner, by)
        note_glucose(scan, 5.5, by=by)
    return Responding(
        records.make_measured(first, by=by, blocks=HOT, stored=BEFORE),
        records.make_measured(second, by=by, blocks=HOT, stored=stored),
        factories.make_user(Role.READER, trial=site.trial, site=site),
    )


def note_glucose(scan: ScheduledScan, value: float | str, *, by: User) -> Evidence:
    """Plasma glucose in mmol/L; 1 mmol/L is 18.0156 mg/dL."""
    return evidence.record(
        scan.patient,
        variable="glucose",
        value=value,
        unit="mmol/L",
        observed_at="2026-03-01",
        is_study_specific=False,
        source="meter of the PET unit",
        scheduled_scan=scan,
        by=by,
    )


def _inject(scan, scanner, by: User) -> Injection:
    """What the images say of both scans: 370 MBq at 10:00, an hour before."""
    with factories.framed():
        return Injection.objects.create(
            scheduled_scan=scan,
            assayed_activity_mbq=370.0,
            assayed_at=SHOT.replace(hour=10, minute=0),
            injected_at=SHOT.replace(hour=10, minute=0),
            scanner=scanner,
            weight_kg=70.0,
            height_cm=170.0,
            net_activity_mbq=370.0,
            half_life_s=6586.2,
            recorded_by=by,
        )
