"""The dose of a CT from what a site sends: proposed, compared with the record, never taken."""

from __future__ import annotations

import io

import pydicom
import pytest
from django.urls import reverse
from pydicom.uid import CTImageStorage

from imaging import storage
from imaging.models import DeidentificationProof, Series
from imaging.services import recompute
from reporting.datasets import DATASETS
from reporting.selectors import rows
from tests import factories, records
from tests.imaging import dose_reports
from tests.imaging.reconciling import open_rules
from tests.imaging.test_intake import a_slice, encoded, sent
from trials.models import HeaderStatement
from trials.services import evidence

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage")]


@pytest.fixture
def scan():
    site = factories.make_site(factories.make_fdg_trial())
    by = records.everyone(site.trial)
    return factories.make_scan(factories.make_enrolled(site, by=by), by=by)


@pytest.fixture
def everyone(scan):
    return records.everyone(scan.patient.trial)


NAMES = (b"CANARY", b"MRN-0815", b"Wintergreen", b"Hollister")


def ct_of(dataset, count=5, *, uid="1.2.9", event="1.2.88", ctdi=1.25) -> list[bytes]:
    """CT images 3 mm apart, as many as make the length."""
    made = []
    for number in range(count):
        ds = pydicom.dcmread(io.BytesIO(a_slice(dataset, number)))
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
        ds.Modality, ds.SeriesInstanceUID, ds.Units = "CT", uid, None
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{uid}.{number + 1}"
        ds.CTDIvol, ds.IrradiationEventUID = ctdi, event
        ds.CTDIPhantomTypeCodeSequence = [
            dose_reports.coded("113691", "DCM", "IEC Body Dosimetry Phantom")
        ]
        made.append(encoded(ds))
    return made


def report_of(dataset, total=dose_reports.TOTAL) -> bytes:
    return encoded(
        dose_reports.dose_report(pydicom.dcmread(io.BytesIO(a_slice(dataset, 1))), total)
    )


def record(scan, by, value):
    return evidence.record(
        scan.patient,
        scheduled_scan=scan,
        variable="ct_dlp",
        value=value,
        unit="mGy·cm",
        observed_at="2026-03-01",
        is_study_specific=False,
        source="dose report",
        details={"region": "trunk"},
        by=by,
    )


def told(scan) -> dict:
    return HeaderStatement.objects.get(scheduled_scan=scan).ct_dose


def test_the_images_propose_an_estimate_and_a_report_takes_its_place(
    scan, everyone, dataset, client
):
    pet = [a_slice(dataset, n) for n in (1, 2, 3)]
    sent(scan, [*pet, *ct_of(dataset), *ct_of(dataset, uid="1.2.10")], everyone)
    # Two reconstructions of one irradiation: 1.25 mGy times 1.5 cm, once.
    first = told(scan)
    assert (first["dlp_mgy_cm"], first["basis"]) == (pytest.approx(1.875), "estimate")
    assert "the body phantom of 32 cm" in first["explanation"]

    sent(scan, [report_of(dataset)], everyone)
    assert told(scan) | {"explanation": ""} == {
        "dlp_mgy_cm": 203.12,
        "basis": "report",
        "explanation": "",
        "region": "trunk",
    }
    kept = Series.objects.get(modality="SR")
    assert (kept.state, kept.transmittal.message.startswith("Dose report of the CT")) == (
        Series.State.RELEASED,
        True,
    )
    data = storage.archive.read(kept.instances.get().sha256)
    assert [name for name in NAMES if name in data] == []
    held = dict(DeidentificationProof.objects.filter(series=kept).values_list("kind", "is_held"))
    assert (held["pixels"], held["identifiers"], held["keep_list"]) == (True, True, True)

    client.force_login(everyone)
    assert _dose(client, scan)["proposed"]["region"] == "trunk"
    form = client.get(
        reverse("evidence_new", args=[scan.patient_id]),
        {"variable": "ct_dlp", "scan": scan.pk, "proposed": "1"},
    ).content.decode()
    assert 'value="203.1"' in form
    assert "total of the scanner&#x27;s dose report" in form


def _dose(client, scan) -> dict:
    return client.get(reverse("api_effective_dose", args=[scan.patient_id])).json()["scans"][0]


def test_what_is_recorded_otherwise_is_asked_about_and_nothing_is_replaced(
    scan, everyone, dataset, client
):
    client.force_login(everyone)
    sent(scan, [a_slice(dataset, n) for n in (1, 2, 3)] + [report_of(dataset)], everyone)
    before = _dose(client, scan)
    assert (before["ct_msv"], before["proposed"]["dlp_mgy_cm"]) == (None, 203.12)
    page = client.get(reverse("patient_dose", args=[scan.patient_id])).content.decode()
    assert "Dose report: 203.1 mGy·cm" in page

    row = record(scan, everyone, 302.0)
    recompute.order_due()
    assert "header-dlp-differs" in open_rules(scan)
    assert "Differs" in client.get(reverse("patient_dose", args=[scan.patient_id])).content.decode()
    # AAPM Report 96, table 3: 0.015 mSv/(mGy cm) for the trunk, of what is recorded.
    found = _dose(client, scan)
    assert (found["ct_msv"], found["comparison"]) == (pytest.approx(302 * 0.015), "differs")
    dataset_of = DATASETS["effective_dose"]
    (exported,) = rows.of(dataset_of, scan.patient.trial)
    exported = dict(zip(dataset_of.column_names, exported, strict=True))
    assert [exported[name] for name in ("dlp", "proposed_dlp")] == [302.0, 203.12]
    assert exported["proposed_dlp_basis"] == "report"

    evidence.correct(
        row,
        value=203.0,
        unit="mGy·cm",
        observed_at="2026-03-01",
        source="dose report",
        details={"region": "trunk"},
        reason="two digits swapped",
        by=everyone,
    )
    recompute.order_due()
    assert "header-dlp-differs" not in open_rules(scan)
    assert _dose(client, scan)["comparison"] == "agrees"
    assert list(recompute._dose_recorded_since()) == []


def test_why_nothing_is_proposed_is_said(scan, everyone, dataset, client):
    sent(scan, [a_slice(dataset, n) for n in (1, 2, 3)] + ct_of(dataset, ctdi=None), everyone)
    assert told(scan)["code"] == "ctdi-missing"
    client.force_login(everyone)
    assert "CTDIvol (0018,9345) is missing" in _dose(client, scan)["why_not_proposed"]


def test_another_report_is_refused_by_name(scan, everyone, dataset):
    ds = dose_reports.dose_report(pydicom.dcmread(io.BytesIO(a_slice(dataset, 1))))
    ds.ConceptNameCodeSequence[0].CodeValue = "126000"
    transmittal = sent(scan, [a_slice(dataset, 1), encoded(ds)], everyone)
    codes = set(transmittal.files.values_list("code", flat=True))
    assert "no-dose-report" in codes
