"""Reference regions: proposed, accepted, placed, replaced; what rests on which."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from imaging import selectors
from imaging.models import Quantification, ReferenceRegion
from imaging.selectors import derivations
from imaging.selectors import regions as selecting
from imaging.services import proposals, quantification, regions
from tests import factories, records
from tests.factories import framed
from tests.imaging.conftest import scan_of_its_day
from trials.models import AuditEvent, Job, Site, User
from trials.roles import Role
from trials.services import jobs
from trials.services.errors import Forbidden, Refused

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage_as_kept")]

# In the even background: 1000 stored where the lesion has 20 000.
THERE = {"centre_mm": (20.0, 20.0, 15.0), "radius_mm": 6.0}


@dataclass
class Scene:
    run: Quantification
    reader: User
    proposed: ReferenceRegion


@pytest.fixture(scope="module")
def arranged(kept) -> Quantification:
    site = factories.make_site(factories.make_trial())
    by = records.everyone(site.trial)
    return records.make_measured(scan_of_its_day(site, by=by), by=by)


@pytest.fixture
def pet_site(arranged, db) -> Site:
    return Site.objects.get(trial=arranged.series.imaging_study.scheduled_scan.patient.trial_id)


@pytest.fixture
def scene(arranged, pet_site) -> Scene:
    run = Quantification.objects.get(pk=arranged.pk)
    reader = factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site)
    return Scene(run, reader, records.propose(run, "blood_pool"))


@pytest.mark.parametrize(
    ("kind", "radius_mm"),
    # The sphere of 30 mm of PERCIST, those of the proposals, and what has room in an adrenal.
    [("liver", 15.0), ("muscle", 10.0), ("blood_pool", 7.0), ("adrenal_left", 8.0)],
)
def test_a_sphere_without_a_radius_has_that_of_its_kind(client, scene, kind, radius_mm):
    client.force_login(scene.reader)
    identifier = scene.run.series.reading_identifier
    place = {"x_mm": 46, "y_mm": 46, "z_mm": 16}
    page = client.post(f"/reading/{identifier}/", {"kind": kind, "radius_mm": ""} | place)
    assert page.status_code == 302
    placed = selecting.in_force(scene.run).get(kind=kind)
    assert placed.radius_mm == radius_mm
    body = {"kind": kind, "centre_mm": [46, 46, 16]}
    address = f"/api/v1/readings/{identifier}/regions/"
    made = client.post(address, body, content_type="application/json")
    assert (made.status_code, made.json()["radius_mm"]) == (201, radius_mm)
    stated = client.post(address, body | {"radius_mm": 5}, content_type="application/json")
    assert stated.json()["radius_mm"] == 5


def measure_again(run: Quantification) -> Quantification:
    with framed():
        job = jobs.enqueue("imaging.quantify", actor=jobs.system_user(), series=run.series_id)
    quantification.run(jobs.claim(job.pk))
    return run.series.quantifications.get(is_current=True)


def test_a_reader_accepts_what_was_proposed_and_it_says_by_whom(scene):
    before = timezone.now()
    found = regions.accept(scene.proposed, by=scene.reader)
    assert (found.status, found.accepted_by) == ("accepted", scene.reader)
    assert found.accepted_at > before
    event = AuditEvent.objects.get(action="region.accepted")
    assert event.after["accepted_by_id"] == scene.reader.pk
    with pytest.raises(Refused, match="not proposed any more"):
        regions.accept(scene.proposed, by=scene.reader)


def test_only_a_reader_accepts(scene, pet_site):
    monitor = factories.make_user(Role.MONITOR, trial=pet_site.trial)
    with pytest.raises(Forbidden):
        regions.accept(scene.proposed, by=monitor)


def test_a_placed_region_takes_the_place_of_the_proposed_one_and_ratios_rest_on_it(scene):
    placed = regions.place(scene.run, kind="blood_pool", by=scene.reader, **THERE)
    again = regions.place(scene.run, kind="blood_pool", by=scene.reader, **THERE)
    assert list(selecting.in_force(scene.run)) == [again]
    (lesion,) = selectors.lesions_of(scene.run)
    assert [one.region for one in lesion.ratios.all()] == [again]
    told = str(derivations.derivation_of(lesion, "tbr_mean", with_origin=False))
    assert told.count("TBR of the mean to mediastinal blood pool") == 1
    replaced = scene.run.reference_regions.exclude(replaced_at=None)
    assert set(replaced) == {scene.proposed, placed}
    with pytest.raises(Refused, match="not proposed any more"):
        regions.accept(scene.proposed, by=scene.reader)


def test_the_database_keeps_one_of_a_kind_in_force(scene):
    with pytest.raises(IntegrityError, match="one_region_in_force"), transaction.atomic():
        records.propose(scene.run, "blood_pool")


def test_what_a_reader_stood_for_at_a_time_is_known_after_it_was_replaced(scene):
    accepted = regions.accept(scene.proposed, by=scene.reader)
    between = timezone.now()
    placed = regions.place(scene.run, kind="blood_pool", by=scene.reader, **THERE)
    assert list(selecting.stood_for(scene.run, at=accepted.placed_at)) == []
    assert list(selecting.stood_for(scene.run, at=between)) == [accepted]
    assert list(selecting.stood_for(scene.run)) == [placed]


def test_a_new_measurement_keeps_what_was_accepted_and_proposes_no_second(scene, monkeypatch):
    found = regions.accept(scene.proposed, by=scene.reader)
    kind = ReferenceRegion.Kind.BLOOD_POOL
    elsewhere = (lambda *_, **__: (24.0, 24.0, 15.0), 6.0)
    monkeypatch.setitem(proposals.PROPOSALS, kind, elsewhere)
    run = measure_again(scene.run)
    (kept,) = selecting.in_force(run)
    assert (kept.status, kept.accepted_by) == ("accepted", scene.reader)
    assert (kept.accepted_at, kept.centre_mm) == (found.accepted_at, found.centre_mm)


def test_a_threshold_on_a_proposed_region_is_in_doubt_until_it_is_accepted(scene, monkeypatch):
    there = (lambda *_, **__: THERE["centre_mm"], THERE["radius_mm"])
    monkeypatch.setitem(proposals.PROPOSALS, ReferenceRegion.Kind.BLOOD_POOL, there)
    plan = scene.run.series.imaging_study.scheduled_scan.planned_scan
    rule = {"method": "reference_threshold", "region": "blood_pool", "times_mean": 4.0}
    plan.segmentation = rule | {"times_sd": 2.0, "minimum_volume_ml": 0.5}
    with framed():
        plan.save(update_fields=["segmentation"])
    run = measure_again(scene.run)
    assert "threshold-from-proposed-region" in run.flags
    regions.accept(run.reference_regions.get(), by=scene.reader)
    quantification.run(jobs.claim(Job.objects.get(state="queued", kind="imaging.quantify").pk))
    current = run.series.quantifications.get(is_current=True)
    assert (current.run, "threshold-from-proposed-region" in current.flags) == (3, False)
    assert current.parameters["suv"] == run.parameters["suv"]


def test_organs_are_measured_and_only_background_is_compared_with(scene):
    organ = regions.place(scene.run, kind="adrenal_left", by=scene.reader, **THERE)
    assert (organ.suvmax, organ.cv) == (pytest.approx(organ.suvmean, rel=1e-6), 0.0)
    assert not organ.ratios.exists()
    assert scene.proposed.ratios.count() == 1


def judged_by(scene, **more) -> Quantification:
    """The run after the protocol states a rule; a region of its kind is proposed on it."""
    version = scene.run.series.imaging_study.scheduled_scan.planned_scan.version
    rule = {"region": "blood_pool", "times_mean": 1.5, "times_sd": 2.0, "on": "suvmax"}
    version.definition = version.definition | {"positivity": rule | more}
    with framed():
        version.save(update_fields=["definition"])
    run = measure_again(scene.run)
    records.propose(run, "blood_pool")
    return run


@pytest.mark.parametrize(
    ("times_mean", "word"),
    # The lesion has 20 times the background, which has no noise.
    [(19.9, "positive"), (20.1, "negative")],
)
def test_a_lesion_is_positive_against_a_region_a_reader_stands_for(scene, times_mean, word):
    run = judged_by(scene, times_mean=times_mean)
    (lesion,) = selectors.lesions_of(run)
    assert not lesion.positivities.exists()
    node = derivations.derivation_of(lesion, "positivity", with_origin=False)
    assert node.value == "not checkable"
    regions.accept(run.reference_regions.get(), by=scene.reader)
    found = lesion.positivities.get()
    assert (str(found), found.value) == (word, lesion.suvmax)
    assert found.threshold == pytest.approx(times_mean / 20 * lesion.suvmax, rel=1e-5)
    node = derivations.derivation_of(lesion, "positivity", with_origin=False)
    assert (node.value, node.source) == (word, found.why)


def test_positivity_goes_with_the_region_in_force_and_comes_with_the_next_run(scene):
    run = judged_by(scene)
    regions.accept(run.reference_regions.get(), by=scene.reader)
    placed = regions.place(run, kind="blood_pool", by=scene.reader, **THERE)
    (lesion,) = selectors.lesions_of(run)
    assert [one.region for one in lesion.positivities.all()] == [placed]
    (again,) = selectors.lesions_of(measure_again(run))
    assert [str(one) for one in again.positivities.all()] == ["positive"]


def test_a_rule_that_is_only_proposed_judges_nothing(scene):
    run = judged_by(scene, provenance="proposed")
    regions.accept(run.reference_regions.get(), by=scene.reader)
    assert not run.lesions.get().positivities.exists()


def test_a_number_of_a_region_opens_its_derivation(scene):
    node = derivations.region_derivation(scene.proposed, "suvpeak", with_origin=False)
    assert (node.value, node.unit) == (scene.proposed.suvpeak, "g/mL")
    assert "ibsi_global" in node.source
    assert "Proposed, not yet accepted by a reader" in str(node.inputs)


def test_a_reader_accepts_on_the_page_and_the_page_says_what_is_in_doubt(client, scene):
    client.force_login(scene.reader)
    address = f"/reading/{scene.run.series.reading_identifier}/"
    text = client.get(address).content.decode()
    assert "mediastinal blood pool, proposed" in text
    answer = client.post(f"{address}regions/{scene.proposed.pk}/accept/")
    assert (answer.status_code, answer.headers["Location"]) == (302, address)
    text = client.get(address).content.decode()
    assert "mediastinal blood pool, proposed" not in text
    assert "Proposed, accepted by a reader" in text


def test_a_run_looks_for_the_regions_that_the_protocol_names_and_says_what_it_did_not_find(
    scene, client
):
    plan = scene.run.series.imaging_study.scheduled_scan.planned_scan
    # Where the protocol names none, liver and blood pool.
    assert scene.run.parameters["proposals"] == {"liver": "no-candidate", "blood_pool": "no-ct"}
    plan.reference_regions = ["blood_pool", "spleen"]
    with framed():
        plan.save(update_fields=["reference_regions"])
    regions.accept(scene.proposed, by=scene.reader)
    run = measure_again(scene.run)
    assert run.parameters["proposals"] == {"blood_pool": "stood-for", "spleen": "no-rule"}
    client.force_login(scene.reader)
    address = reverse("reading", args=[run.series.reading_identifier])
    text = client.get(address).content.decode()
    assert "Spleen: no rule finds it: the reader places it." in text
    assert "This study has no CT" not in text
    regions.place(run, kind="spleen", by=scene.reader, **THERE)
    assert "no rule finds it" not in client.get(address).content.decode()
