"""Of several PET series of a scan one counts: by the rule of the protocol, or by a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from imaging.conformance import Planned
from imaging.counting import Candidate, choice
from imaging.models import Instance, Series
from imaging.services import recompute, reviews
from tests import factories
from tests.imaging.reconciling import set_plan
from tests.imaging.test_intake import a_slice, sent
from trials.models import PlannedScan, Query
from trials.roles import Role
from trials.services.errors import Forbidden, Refused

PLANNED = Planned("F-18", 50, 70, None, None, None, date(2026, 3, 1))
OSEM, TOF = (
    Candidate(key=n, name=f"R{n}", is_attenuation_corrected=True, reconstruction=method)
    for n, method in ((1, "OSEM 3i24s"), (2, "PSF+TOF 2i21s"))
)
NAC = Candidate(key=3, name="R3", is_attenuation_corrected=False)


def at(minutes, one):
    return replace(one, uptake_minutes=minutes)


@pytest.mark.parametrize(
    ("candidates", "planned", "key"),
    [
        # Alone, whatever the protocol plans: that it deviates is another matter.
        ([at(300.0, OSEM)], PLANNED, 1),
        ([NAC, at(300.0, TOF)], PLANNED, 2),
        ([NAC], PLANNED, None),
        # Early and late; both ends of the window are in it.
        ([at(50.0, OSEM), at(120.0, TOF)], PLANNED, 1),
        ([at(120.0, OSEM), at(70.0, TOF)], PLANNED, 2),
        ([at(60.0, OSEM), at(65.0, TOF)], PLANNED, None),
        ([at(20.0, OSEM), at(120.0, TOF)], PLANNED, None),
        ([at(None, OSEM), at(60.0, TOF)], PLANNED, 2),
        # Two reconstructions of one acquisition, in the spelling of the scanner.
        ([at(60.0, OSEM), at(60.0, TOF)], replace(PLANNED, reconstructions=("psf+tof",)), 2),
        ([at(60.0, OSEM), at(60.0, TOF)], replace(PLANNED, reconstructions=("FBP",)), None),
        # The listed one is not the one in the window.
        ([at(120.0, OSEM), at(60.0, TOF)], replace(PLANNED, reconstructions=("OSEM",)), None),
    ],
)
def test_the_rule_of_the_protocol_chooses_or_leaves_it_to_a_person(candidates, planned, key):
    assert choice(candidates, planned).key == key
    assert choice(candidates[::-1], planned).key == key


def test_without_a_window_and_a_list_nothing_chooses():
    silent = replace(PLANNED, uptake_low_minutes=None, uptake_high_minutes=None)
    found = choice([at(60.0, OSEM), at(120.0, TOF)], silent)
    assert found.key is None
    assert found.because.startswith("The protocol states neither")


# Through the intake


@pytest.fixture(autouse=True)
def stores(settings, tmp_path):
    settings.STORAGE = tmp_path


@pytest.fixture
def site():
    return factories.make_site(factories.make_fdg_trial())


@pytest.fixture
def coordinator(site):
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


@pytest.fixture
def scan(site, coordinator):
    return factories.make_scan(factories.make_enrolled(site, by=coordinator), by=coordinator)


def series_of(scan, dataset, number, by, **changes):
    """A series of two slices of its own, sent and assembled."""
    uid = f"1.2.{number}"
    before = set(Series.objects.values_list("pk", flat=True))
    files = [a_slice(dataset, 10 * number + n, SeriesInstanceUID=uid, **changes) for n in (1, 2)]
    transmittal = sent(scan, files, by)
    assert transmittal.state == transmittal.State.ASSEMBLED, transmittal.message
    return Series.objects.exclude(pk__in=before).get()


def counting(scan):
    rows = Series.objects.filter(imaging_study__scheduled_scan=scan, counts=True)
    return list(rows.values_list("pk", flat=True))


def is_asked(scan):
    rows = Query.objects.filter(rule="several-pet-series", patient=scan.patient)
    return rows.exclude(state="closed").exists()


@pytest.mark.django_db
def test_series_of_an_earlier_release_are_asked_about_by_the_clock(scan, coordinator, dataset):
    first = series_of(scan, dataset, 1, coordinator)
    with factories.framed():
        Series.objects.filter(pk=first.pk).update(counts=False, counting="")
    recompute.order_due()
    first.refresh_from_db()
    assert (first.counts, first.counting.startswith("Counts for this scan.")) == (True, True)


@pytest.mark.django_db
def test_each_series_is_kept_and_none_counts_because_it_came_last(
    site, scan, coordinator, dataset, client
):
    set_plan(scan, uptake_low_minutes=None, uptake_high_minutes=None)
    assert PlannedScan.objects.get(pk=scan.planned_scan_id).conformance == {}
    first = series_of(scan, dataset, 1, coordinator, ReconstructionMethod="OSEM")
    assert counting(scan) == [first.pk]
    uncorrected = series_of(
        scan, dataset, 2, coordinator, CorrectedImage=["NORM", "DTIM", "DECY", "RAN"]
    )
    assert counting(scan) == [first.pk]
    first.refresh_from_db()
    assert "the only PET series of this scan that is corrected" in first.counting
    assert uncorrected.counting == (
        "Not corrected for attenuation: kept, and never measured. "
        f"{first.reading_identifier} counts for this scan."
    )
    second = series_of(scan, dataset, 3, coordinator, ReconstructionMethod="PSF+TOF")
    assert (counting(scan), is_asked(scan)) == ([], True)
    # A person decides, until there is something else to choose from.
    with pytest.raises(Forbidden):
        reviews.count(second, reason="mine", by=coordinator)
    manager = factories.make_user(Role.DATA_MANAGER, trial=site.trial)
    with pytest.raises(Refused, match="nothing to decide"):
        reviews.count(uncorrected, reason="by mistake", by=manager)
    reviews.count(second, reason="The charter names TOF.", by=manager)
    assert (counting(scan), is_asked(scan)) == ([second.pk], False)
    client.force_login(manager)
    page = client.get(f"/series/{second.pk}/").content.decode()
    assert "Decided by" in page
    assert "The charter names TOF." in page
    assert first.reading_identifier in page
    assert "Let this series count" in client.get(f"/series/{first.pk}/").content.decode()
    third = series_of(scan, dataset, 4, coordinator, ReconstructionMethod="FBP")
    assert (counting(scan), is_asked(scan)) == ([], True)
    # What the protocol comes to state settles it.
    set_plan(scan, conformance={"reconstructions": ["FBP"]})
    reviews.count(first, reason="Until the amendment.", by=manager)
    assert counting(scan) == [first.pk]
    assert Series.objects.filter(imaging_study__scheduled_scan=scan).count() == 4
    assert "does not count" in Series.objects.get(pk=third.pk).counting


# The CT beside it


@pytest.mark.django_db
@pytest.mark.parametrize(("frame", "is_asked_about"), [("1.2.9", False), ("1.2.99", True)])
def test_a_ct_of_another_frame_of_reference_can_t_be_shown_on_the_pet(
    scan, coordinator, dataset, frame, is_asked_about
):
    ct = {
        "Modality": "CT",
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
        "SeriesInstanceUID": "1.2.7",
        "FrameOfReferenceUID": frame,
    }
    pet = [a_slice(dataset, n) for n in (1, 2)]
    sent(scan, [*pet, *(a_slice(dataset, n, **ct) for n in (11, 12))], coordinator)
    assert Instance.objects.count() == 4
    series = Series.objects.get(modality="PT")
    assert series.findings.filter(rule="ct-of-another-frame").exists() == is_asked_about
    asked = Query.objects.filter(rule="ct-of-another-frame", state="open")
    assert asked.exists() == is_asked_about
    assert Series.objects.get(modality="CT").has_recognizable_features


@pytest.mark.django_db
def test_a_study_is_sent_without_ct_unless_it_is_asked_for(
    site, scan, coordinator, dataset, client
):
    ct = {
        "Modality": "CT",
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
        "SeriesInstanceUID": "1.2.7",
    }
    pet = [a_slice(dataset, n) for n in (1, 2)]
    sent(scan, [*pet, a_slice(dataset, 11, **ct)], coordinator)
    client.force_login(factories.make_user(Role.DATA_MANAGER, trial=site.trial))
    row = Series.objects.get(modality="CT")
    study = f"/dicom-web/studies/{row.imaging_study.study_instance_uid}"

    def images(address):
        response = client.get(address, HTTP_ACCEPT='multipart/related; type="application/dicom"')
        return response, b"".join(response).count(b"Content-Type")

    response, count = images(study)
    assert (count, "1 CT images are left out" in response["Warning"]) == (2, True)
    response, count = images(f"{study}?recognizable=include")
    assert (count, "Warning" in response) == (3, False)
    assert images(f"{study}/series/{row.series_instance_uid}")[1] == 1
    assert "A face can be rendered" in client.get(f"/series/{row.pk}/").content.decode()
