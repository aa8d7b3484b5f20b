"""A trial with test and retest scans, as rows: no image is read."""

from __future__ import annotations

from datetime import timedelta

from imaging.models import ImagingStudy, Instance, Quantification, ReceivedFile, Series, Transmittal
from tests import factories
from tests.factories import NOON
from tests.reporting.cohort import Cohort
from trials.models import PlannedScan, Scanner
from trials.roles import Role
from trials.services import injections, scans

TEST, RETEST = "scan_ptf", "again"
LATER = NOON + timedelta(days=2)


def make_retested() -> Cohort:
    """Two patients, each scanned twice; the second one's retest differs in two ways."""
    trial = factories.make_trial()
    site = factories.make_site(trial)
    by = factories.make_user(Role.COORDINATOR, trial=trial, site=site)
    test = PlannedScan.objects.get(version__trial=trial, identifier=TEST)
    with factories.framed():
        again = PlannedScan.objects.create(
            version=test.version, tracer=test.tracer, identifier=RETEST, label="Again",
            retest={"of": TEST, "interval": {"minimum": "PT20H", "maximum": "P7D"},
                    "uptake_difference_minutes": 5,
                    "quantities": ["suvmax", "volume"]},
        )  # fmt: skip
        scanner = Scanner.objects.create(
            site=site, name="One", manufacturer="M", model="V", serial_number="1"
        )
    common = {"by": by, "scanner": scanner}
    for given in ({"minutes": 62.5}, {"minutes": 68.5, "method": "TOF"}):
        patient = factories.make_enrolled(site, by=by)
        imaged(patient, test, at=NOON, minutes=60.0, **common)
        imaged(patient, again, at=LATER, **given, **common)
    return Cohort(trial, site, by, factories.make_user(Role.STATISTICIAN, trial=trial))


def imaged(patient, plan, *, at, minutes, scanner, method="OSEM", by):
    """A scan of a patient that was injected and measured."""
    scan = scans.schedule(patient, planned_scan=plan, planned_at=at, by=by)
    injections.record(
        scan, assayed_activity_mbq=150.0, assayed_at=at, residual_activity_mbq=None,
        residual_at=None, injected_at=at, route="intravenous", weight_kg=70.0, height_cm=None,
        by=by,
    )  # fmt: skip
    with factories.framed():
        scan.injection.scanner = scanner
        scan.injection.save()
        transmittal = Transmittal.objects.create(
            site=patient.site, scheduled_scan=scan, state="quantified", sent_by=by,
            completed_at=at,
        )  # fmt: skip
        study = ImagingStudy.objects.create(scheduled_scan=scan, study_instance_uid="2.25.1")
        series = Series.objects.create(
            imaging_study=study, transmittal=transmittal, series_instance_uid="2.25.2",
            modality="PT", state="quantified", counts=True,
        )  # fmt: skip
        file = ReceivedFile.objects.create(
            transmittal=transmittal, position=1, sha256="ab" * 32, size=1
        )
        Instance.objects.create(
            series=series, sop_instance_uid="2.25.3", sha256="ab" * 32, size=1,
            received_file=file,
            deidentification={},
            header={"reconstruction_method": method, "convolution_kernel": [],
                    "pixel_spacing": [4.0, 4.0], "slice_thickness": 3.0},
        )  # fmt: skip
        Quantification.objects.create(
            series=series, run=1, status="computed", suvbw_factor=0.5, uptake_minutes=minutes,
            software_version="test",
        )  # fmt: skip
    return scan
