"""A run measures what arrived, says what is missing, and supersedes without erasing."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import PurePath

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from config.demo import cohort
from imaging import storage
from imaging.models import DicomObject, Instance, Picture, Quantification, Series, Transmittal
from imaging.selectors import derivations
from imaging.services import quantification, receiving, regions
from tests import factories
from trials.models import Injection, Job, Query, ScheduledScan, Trial, User
from trials.roles import Role
from trials.services import audit, injections, jobs
from trials.services.errors import Refused

pytestmark = pytest.mark.django_db

PLAN = cohort.PLANS[0]
# As old as the patients that the factories make.
CASE = replace(
    cohort.CASES[0], person=replace(cohort.CASES[0].person, birth=factories.BIRTH.isoformat())
)
SYRINGE, STARTED = cohort.given(PLAN, now=factories.NOON + timedelta(hours=2))
# The upper end of the phantom: enough for two of its four spheres.
SENT, ANNOUNCED = 66, 176


@pytest.fixture(autouse=True)
def stores(settings, tmp_path):
    settings.STORAGE = tmp_path


@dataclass
class Sent:
    """A measured series, what of it was not sent, and who sends."""

    series: Series
    left: list[bytes]
    by: User


@pytest.fixture
def sending() -> Sent:
    return sent(SENT)


def sent(count: int) -> Sent:
    """A PET series of which the lower slices were not sent, after every job has run."""
    site = factories.make_site(factories.make_trial())
    by = factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)
    scan = factories.make_scan(factories.make_enrolled(site, by=by), by=by, planned_at=STARTED)
    injections.record(scan, **given(), by=by)
    examination = cohort.examination(PLAN, SYRINGE, STARTED, zone="UTC", uid_source="test")
    pet = [data for name, data in cohort.images(CASE, PLAN, examination) if name.startswith("PT")]
    assert len(pet) == ANNOUNCED
    send(scan, pet[-count:], by)
    return Sent(Series.objects.get(imaging_study__scheduled_scan=scan), pet[:-count], by)


def given(**changes) -> dict:
    person = CASE.person
    measures = {"weight_kg": person.weight_kg, "height_cm": person.height_cm}
    return vars(SYRINGE) | {"route": "intravenous"} | measures | changes


def send(scan, slices: list[bytes], by) -> None:
    transmittal = receiving.open_transmittal(scan, by=by)
    files = [SimpleUploadedFile("slice", data) for data in slices]
    receiving.receive(transmittal, files=files, by=by)
    receiving.complete(transmittal, by=by)
    work()


@pytest.fixture
def measured(sending) -> Series:
    return sending.series


def work() -> None:
    waiting = Job.objects.filter(state=Job.State.QUEUED)
    while job := waiting.first():
        jobs.run(job.pk)
        job.refresh_from_db()
        assert job.state == Job.State.DONE, job.error


def again(series: Series) -> None:
    with audit.action("test.ordered", actor=jobs.system_user(), reason="measured again"):
        jobs.enqueue("imaging.quantify", actor=jobs.system_user(), series=series.pk)
    work()


def test_a_series_with_slices_missing_is_measured_flagged_and_asked_about(measured):
    run = measured.quantifications.get()
    assert run.status == Quantification.Status.FLAGGED
    assert "incomplete" in run.flags
    assert run.lesions.count() == 2
    question = Query.objects.get(rule="fewer-slices-than-announced")
    assert f"{SENT} slices" in question.text
    assert str(ANNOUNCED) in question.text


def test_a_lesion_keeps_its_extent_and_whether_the_image_cuts_its_peak(measured):
    run = measured.quantifications.get()
    (lesion, _), whole = run.lesions.all(), SENT
    assert not lesion.peak_leaves_image
    found, _ = quantification.regions_of(run, *quantification.volume_of(run))
    places = np.unravel_index(found.voxels, (whole, 128, 128))
    spacing = np.array(lesion.extent_mm) / [np.ptp(one) + 1 for one in places]
    assert spacing == pytest.approx([5.0, 4.0, 4.0])
    assert f"{lesion.extent_mm[0]:.1f} × " in str(derivation(lesion, "volume_ml"))
    # All below the hottest voxel of the lesion is cut off.
    plane = lesion.suvmax_voxel[0]
    cut = sent(whole - plane).series.quantifications.get().lesions.get(suvmax_voxel__0=0)
    assert cut.peak_leaves_image
    assert cut.suvmax == lesion.suvmax
    assert "the image ends within this sphere" in derivation(cut, "suvpeak").source
    assert "the image ends" not in derivation(lesion, "suvpeak").source


def test_a_derivation_says_what_the_peak_is_by_its_own_definition(measured):
    lesion = measured.quantifications.get().lesions.first()
    sphere = "mean over a 1 cm³ sphere (radius 6.2035 mm) centred on"
    for definition, words in (
        ("ibsi_global", f"Highest {sphere} a voxel of the lesion. ibsi_global"),
        ("ibsi_local", f"{sphere.capitalize()} the hottest voxel of the lesion. ibsi_local"),
        ("weighted", "counts with the part of it that lies inside. weighted"),
    ):
        lesion.suvpeak_definition = definition
        assert derivation(lesion, "suvpeak").source.endswith(words)


def derivation(lesion, quantity):
    return derivations.derivation_of(lesion, quantity, with_origin=True)


def test_a_second_run_supersedes_the_first_and_finds_the_same(measured):
    again(measured)
    old, new = measured.quantifications.order_by("run")
    assert (old.is_current, new.is_current) == (False, True)
    assert old.input_sha256 == new.input_sha256
    numbers = ("number", "suvmax", "suvmean", "suvpeak", "volume_ml")
    assert list(old.lesions.values_list(*numbers)) == list(new.lesions.values_list(*numbers))


def test_the_slices_that_were_missing_bring_a_run_over_all_of_them(sending):
    scan = sending.series.imaging_study.scheduled_scan
    send(scan, sending.left, sending.by)
    old, new = sending.series.quantifications.order_by("run")
    assert (old.is_current, new.is_current) == (False, True)
    assert new.lesions.count() > old.lesions.count()
    assert "incomplete" not in new.flags
    states = Transmittal.objects.filter(scheduled_scan=scan).values_list("state", flat=True)
    assert list(states) == [Transmittal.State.QUANTIFIED] * 2
    scan.refresh_from_db()
    assert scan.state == ScheduledScan.State.QUANTIFIED


def test_a_number_is_not_traced_to_slices_it_was_not_computed_from(sending):
    lesion = sending.series.quantifications.get().lesions.first()
    before = str(derivations.derivation_of(lesion, "suvmax", with_origin=True))
    send(sending.series.imaging_study.scheduled_scan, sending.left, sending.by)
    after = str(derivations.derivation_of(lesion, "suvmax", with_origin=True))
    assert "Rescale Slope', value=" in before
    assert "images of this series came since" in after


def test_a_region_is_not_placed_on_slices_that_were_not_measured_yet(sending):
    run = sending.series.quantifications.get()
    with factories.framed():
        run.input_sha256 = "0" * 64
        run.save(update_fields=["input_sha256"])
    reader = factories.make_user(Role.READER, trial=Trial.objects.get(pk=run.scope()[0]))
    with pytest.raises(Refused, match="Images of this series came since"):
        regions.place(run, kind="liver", centre_mm=(0.0, 0.0, 0.0), radius_mm=10.0, by=reader)


def hottest_of(run) -> tuple[float, ...]:
    return tuple(run.lesions.order_by("number").first().centroid_mm)


def test_a_threshold_from_a_region_outlines_nothing_until_a_reader_has_placed_it(measured):
    scan = measured.imaging_study.scheduled_scan
    centre = hottest_of(measured.quantifications.get())
    plan = scan.planned_scan
    plan.segmentation = {
        "method": "reference_threshold",
        "region": "blood_pool",
        "times_mean": 0.5,
        "times_sd": 1.0,
        "minimum_volume_ml": 0.5,
        "peak": "weighted",
    }
    with factories.framed():
        plan.save(update_fields=["segmentation"])
    again(measured)
    waiting = measured.quantifications.get(is_current=True)
    assert "reference-region-missing" in waiting.flags
    assert (waiting.suvmax > 0, waiting.lesions.count()) == (True, 0)

    # Where it lies is the reader's choice; that it is measured again is ours.
    reader = factories.make_user(Role.READER, trial=scan.patient.trial)
    placed = regions.place(waiting, kind="blood_pool", centre_mm=centre, radius_mm=6.0, by=reader)
    work()
    run = measured.quantifications.get(is_current=True)
    assert "reference-region-missing" not in run.flags
    assert run.parameters["suv"] == pytest.approx(0.5 * placed.suvmean + placed.suv_sd)
    lesion = run.lesions.first()
    assert (run.lesions.count() > 0, lesion.suvpeak_definition) == (True, "weighted")
    told = str(derivations.derivation_of(lesion, "volume_ml", with_origin=True))
    assert "0.5 × mean + 1 × SD of the blood pool" in told
    assert f"{run.parameters['suv']}" in told


def test_partial_volume_is_warned_of_by_the_resolution_that_the_protocol_states(measured):
    lesion = measured.quantifications.get().lesions.order_by("number").first()
    # The diameter of a sphere of that volume in mm: 6 V / pi is its cube.
    diameter = (6000 * lesion.volume_ml / math.pi) ** (1 / 3)
    plan = measured.imaging_study.scheduled_scan.planned_scan
    stated = plan.segmentation
    for resolution, is_warned in ((0.51 * diameter, True), (0.49 * diameter, False)):
        plan.segmentation = stated | {"resolution_mm": resolution}
        with factories.framed():
            plan.save(update_fields=["segmentation"])
        again(measured)
        run = measured.quantifications.get(is_current=True)
        assert run.parameters["resolution_mm"] == resolution
        found = run.lesions.order_by("number").first()
        assert (found.volume_ml, found.has_partial_volume) == (lesion.volume_ml, is_warned)


def test_a_region_that_the_threshold_does_not_rest_on_brings_no_new_run(measured):
    run = measured.quantifications.get()
    reader = factories.make_user(Role.READER, trial=Trial.objects.get(pk=run.scope()[0]))
    regions.place(run, kind="blood_pool", centre_mm=hottest_of(run), radius_mm=6.0, by=reader)
    work()
    assert measured.quantifications.count() == 1


def test_a_region_placed_while_the_series_is_measured_is_on_the_next_run(measured, monkeypatch):
    run = measured.quantifications.get()
    reader = factories.make_user(Role.READER, trial=Trial.objects.get(pk=run.scope()[0]))
    draw, placed = quantification.pictures.mip_png, []

    def drawn(*given, **more):
        if not placed:
            one = regions.place(
                run, kind="blood_pool", centre_mm=hottest_of(run), radius_mm=6.0, by=reader
            )
            placed.append(one)
        return draw(*given, **more)

    monkeypatch.setattr(quantification.pictures, "mip_png", drawn)
    again(measured)
    current = measured.quantifications.get(is_current=True)
    assert current.run == 2
    kept = current.reference_regions.get(kind="blood_pool")
    assert (kept.suvmean, kept.placed_by) == (placed[0].suvmean, reader)


def correct(sent: Sent, weight_kg: float) -> None:
    """Correct the weight to one that the images don't state, as the source has it."""
    injections.correct(
        Injection.objects.get(),
        **given(weight_kg=weight_kg),
        reason="misread",
        by=sent.by,
        is_difference_confirmed=True,
    )


def withheld(sent: Sent) -> None:
    with factories.framed():
        Series.objects.update(code=Series.DESTROYED)


def test_a_run_that_is_overtaken_leaves_no_picture(sending, monkeypatch):
    draw, overtaken = quantification.pictures.mip_png, []
    scan = sending.series.imaging_study.scheduled_scan
    waiting = []

    def draws(*given, **more):
        if not waiting:
            return draw(*given, **more)
        overtake = waiting.pop()
        # Darker each time, so that it is the picture of no other run.
        overtaken.append(draw(*given, **more | {"upper_suv": 20.0 + len(overtaken)}))
        overtake()
        return overtaken[-1]

    monkeypatch.setattr(quantification.pictures, "mip_png", draws)
    for overtake in (
        lambda: send(scan, sending.left[-1:], sending.by),
        lambda: correct(sending, CASE.person.weight_kg + 2),
        lambda: withheld(sending),
    ):
        waiting.append(overtake)
        again(sending.series)
    assert len(overtaken) == 3
    named = {*Instance.objects.values_list("sha256", flat=True)}
    named |= {*Picture.objects.values_list("sha256", flat=True)}
    named |= {*DicomObject.objects.values_list("sha256", flat=True)}
    assert {PurePath(entry.name).name for entry in storage.archive.entries()} == named
    assert named.isdisjoint(hashlib.sha256(one).hexdigest() for one in overtaken)


def test_a_region_is_not_placed_on_a_run_that_another_has_replaced(measured, monkeypatch):
    run = measured.quantifications.get()
    reader = factories.make_user(Role.READER, trial=Trial.objects.get(pk=run.scope()[0]))
    volume = quantification.volume_of

    def read(of):
        monkeypatch.setattr(quantification, "volume_of", volume)
        again(measured)
        return volume(of)

    monkeypatch.setattr(quantification, "volume_of", read)
    with pytest.raises(Refused, match="measured again meanwhile"):
        regions.place(run, kind="liver", centre_mm=hottest_of(run), radius_mm=6.0, by=reader)
