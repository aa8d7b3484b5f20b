"""Effective dose: added up, held against a limit, and never zero where a part is not known."""

from __future__ import annotations

import pytest
from django.urls import reverse

from reporting.datasets import DATASETS
from reporting.selectors import rows
from tests import factories
from tests.factories import NOON
from trials import effective_dose
from trials.effective_dose import Dose, Exposure, Irradiation, Proposed
from trials.roles import Role
from trials.selectors import effective_dose as selectors
from trials.services import evidence, injections

WITH_CT = {"has_ct": True, "irradiations": (Irradiation(500.0, "trunk"),)}
STATED = {
    "sources": {"S": "A stated source"},
    "tracers": [{"identifier": "PTF", "effective_dose": {"msv_per_mbq": 0.02, "source": ["S"]}}],
    "effective_dose_limit": {"msv": 10, "source": ["S"]},
}


def test_factors_of_ct_are_those_of_the_report():
    # AAPM Report 96 (2008), table 3, adult, in mSv/(mGy cm); the same in EUR 16262, rounded.
    assert dict(effective_dose.PER_DLP) == {
        "head": 0.0021,
        "head_neck": 0.0031,
        "neck": 0.0059,
        "chest": 0.014,
        "abdomen_pelvis": 0.015,
        "trunk": 0.015,
    }


def test_fdg_by_the_icrp_and_a_ct_of_the_trunk_add_up():
    # 370 MBq at 0.019 mSv/MBq is 7.0 mSv (ICRP 128); 500 mGy cm at 0.015 is 7.5 mSv.
    found = effective_dose.dose(Exposure("FDG", 370.0, 0.019, **WITH_CT))
    assert found.tracer_msv == pytest.approx(7.03)
    assert found.ct_msv == pytest.approx(7.5)
    assert found.total_msv == pytest.approx(14.53)
    assert found.gaps == ()


@pytest.mark.parametrize(
    ("exposure", "gap"),
    [
        (Exposure("PET", 150.0, None, **WITH_CT), "no dose coefficient"),
        (Exposure("PET", 150.0, 0.02, has_ct=True), "DLP of its CT is not recorded"),
        (Exposure("PET", 150.0, 0.02, has_ct=None), "DLP of its CT is not recorded"),
        (
            Exposure("PET", 150.0, 0.02, irradiations=(Irradiation(500.0, None),)),
            "region of its CT is not recorded",
        ),
        (
            Exposure("PET", 150.0, 0.02, irradiations=(Irradiation(None, "trunk"),)),
            "not known as a number",
        ),
        # A dose report came, whatever is planned or recorded: there was a CT.
        (
            Exposure("PET", None, 0.02, has_ct=False, proposed=Proposed(203.12, "report", "")),
            "Proposed by the dose report: 203.1 mGy cm",
        ),
    ],
)
def test_a_part_that_is_not_known_is_named_and_never_zero(exposure, gap):
    found = effective_dose.dose(exposure)
    assert found.total_msv is None
    assert gap in " ".join(found.gaps)
    assert effective_dose.cumulative([found], limit_msv=1000).standing == "not checkable"


@pytest.mark.parametrize(
    ("doses", "standing"),
    [
        ([Dose(3.0, 7.0, ())], "within"),
        ([Dose(3.0, 7.000001, ())], "outside"),
        ([Dose(3.0, None, ("a gap",)), Dose(8.0, None, ("a gap",))], "outside"),
        # At most 11 mSv, of which only the 7 of the CT are certain.
        ([Dose(4.0, 7.0, (), is_tracer_certain=False)], "not checkable"),
        ([Dose(2.0, 7.0, (), is_tracer_certain=False)], "within"),
        ([Dose(2.0, 7.0, ("only proposed",), is_tracer_certain=False)], "not checkable"),
    ],
)
def test_a_sum_is_held_against_the_limit_as_far_as_it_is_certain(doses, standing):
    assert effective_dose.cumulative(doses, limit_msv=10.0).standing == standing


def test_without_a_limit_nothing_is_checkable():
    assert effective_dose.cumulative([Dose(1.0, 1.0, ())], limit_msv=None).standing == (
        "not checkable"
    )


@pytest.fixture
def scanned(db):
    """An injected patient of a trial that states coefficient and limit, without the DLP."""
    trial = factories.make_trial()
    site = factories.make_site(trial)
    by = factories.make_user(Role.COORDINATOR, trial=trial, site=site)
    with factories.framed():
        version = trial.newest_version
        version.definition = STATED
        version.save(update_fields=["definition"])
    patient = factories.make_enrolled(site, by=by)
    scan = factories.make_scan(patient, by=by)
    injections.record(
        scan,
        assayed_activity_mbq=150.0,
        assayed_at=NOON,
        residual_activity_mbq=0.0,
        residual_at=NOON,
        injected_at=NOON,
        weight_kg=70.0,
        despite="as it was",
        by=by,
    )
    return patient, scan, by


def report(patient, scan, by, value=400.0, region="trunk"):
    return evidence.record(
        patient,
        scheduled_scan=scan,
        variable="ct_dlp",
        value=value,
        unit="mGy·cm",
        observed_at=NOON.isoformat(),
        is_study_specific=False,
        source="dose report",
        details={"region": region},
        by=by,
    )


def test_page_api_and_export_say_the_same_before_and_after_the_dlp(scanned, client):
    patient, scan, by = scanned
    client.force_login(by)
    api = reverse("api_effective_dose", args=[patient.pk])
    before = client.get(api).json()
    assert before["standing"] == "not checkable"
    assert before["scans"][0]["ct_msv"] is None
    assert before["scans"][0]["tracer_msv"] == pytest.approx(3.0)
    assert "Not checkable" in client.get(reverse("patient", args=[patient.pk])).content.decode()

    report(patient, scan, by)
    after = client.get(api).json()
    assert (after["standing"], after["is_complete"], after["limit_msv"]) == ("within", True, 10)
    assert after["known_msv"] == pytest.approx(3.0 + 6.0)
    page = client.get(reverse("patient_dose", args=[patient.pk])).content.decode()
    for part in ("Within the limit", "9.0 mSv", "A stated source", "400.0 mGy·cm"):
        assert part in page
    row = exported(patient.trial)
    assert (row["tracer_msv"], row["ct_msv"], row["total_msv"]) == pytest.approx((3.0, 6.0, 9.0))

    # Another CT of the same scan counts too, and takes the patient over the limit.
    report(patient, scan, by, value=100.0)
    assert client.get(api).json()["standing"] == "outside"


def exported(trial) -> dict:
    dataset = DATASETS["effective_dose"]
    (row,) = rows.of(dataset, trial)
    return dict(zip(dataset.column_names, row, strict=True))


def test_a_proposed_limit_holds_nobody(scanned):
    patient, scan, by = scanned
    report(patient, scan, by)
    version = patient.trial.newest_version
    with factories.framed():
        limit = {"msv": 1, "source": ["S"], "provenance": "proposed"}
        version.definition = STATED | {"effective_dose_limit": limit}
        version.save(update_fields=["definition"])
    found = selectors.of_patient(patient)
    assert (found.together.standing, found.is_limit_proposed) == ("not checkable", True)
