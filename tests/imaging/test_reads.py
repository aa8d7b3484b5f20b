"""A read: opened, decided, grown, signed; seen by its reader alone; its findings with the trial.

The series has one hot block of 4 x 4 x 4 voxels of 4 x 4 x 3 mm, 3.072 mL. Its SUV by hand:
20 000 * 2.5 Bq/mL * 70 000 g / (370 MBq * 2^(-3600 / 6586.2)) = 13.817 g/mL.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pytest

from imaging import reading_terms
from imaging.models import GrownLesion, LesionRead, Quantification, Read, Series
from imaging.selectors import comparisons as comparing
from imaging.selectors import derivations
from imaging.selectors import reads as selecting
from imaging.services import growing, quantification, read_results, reads, regions
from tests import factories, records
from tests.factories import PASSWORD, framed
from tests.imaging.conftest import scan_of_its_day
from trials.models import AuditEvent, Finding, Site, User
from trials.roles import Role
from trials.selectors import findings as trial_findings
from trials.services import jobs
from trials.services.errors import Forbidden, Invalid, Refused

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage_as_kept")]

SUV = 20_000 * 2.5 * 70_000 / (370e6 * 2 ** (-3600 / 6586.2))
VOLUME = 64 * 4 * 4 * 3 / 1000
# In the block, and beside it.
INSIDE, BESIDE = (5, 11, 11), (5, 9, 11)


@dataclass
class Scene:
    run: Quantification
    first: User
    second: User

    @property
    def series(self):
        return self.run.series


@pytest.fixture(scope="module")
def arranged(kept) -> Quantification:
    site = factories.make_site(factories.make_trial())
    by = records.everyone(site.trial)
    return records.make_measured(scan_of_its_day(site, by=by), by=by)


@pytest.fixture
def scene(arranged, pet_site) -> Scene:
    first, second = (
        factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site) for _ in range(2)
    )
    return Scene(Quantification.objects.get(pk=arranged.pk), first, second)


@pytest.fixture
def pet_site(arranged, db) -> Site:
    return Site.objects.get(trial=arranged.series.imaging_study.scheduled_scan.patient.trial_id)


def only(read: Read) -> LesionRead:
    (row,) = selecting.rows_of(read)
    return row


def accepted(scene: Scene, by: User, **said) -> Read:
    read = reads.open_read(scene.series, by=by)
    reads.decide(only(read), by=by, decision="accepted", **said)
    return read


def place_blood_pool(scene: Scene, by: User):
    return regions.place(
        scene.run, kind="blood_pool", centre_mm=(12.0, 12.0, 6.0), radius_mm=5.0, by=by
    )


def measure_again(run: Quantification) -> Quantification:
    with framed():
        job = jobs.enqueue("imaging.quantify", actor=jobs.system_user(), series=run.series_id)
    quantification.run(jobs.claim(job.pk))
    return run.series.quantifications.get(is_current=True)


def refusal(act) -> str:
    with pytest.raises(Refused) as refused:
        act()
    return refused.value.code


def test_a_read_begins_with_every_region_undecided_and_is_opened_once(scene):
    read = reads.open_read(scene.series, by=scene.first)
    assert only(read).decision == "undecided"
    assert only(read).measured.suvmax == pytest.approx(SUV, rel=1e-5)
    assert reads.open_read(scene.series, by=scene.first) == read
    assert reads.obstacles(read) == ["Not decided yet: 1."]


def test_signing_hands_the_findings_of_scan_and_lesion_to_the_trial(scene):
    place_blood_pool(scene, scene.first)
    read = accepted(scene, scene.first, region="liver", positivity="positive")
    reads.sign(read, by=scene.first, password=PASSWORD)
    found = Finding.objects.filter(lesion_number=None)
    numbers = {one.test: one.number for one in found if one.number is not None}
    assert numbers == pytest.approx(
        {
            "LESNUM": 1,
            "VOLUME": VOLUME,
            "UPTAKE": SUV * VOLUME,
            "SUVMAX": SUV,
            "SUVPEAK": numbers["SUVPEAK"],
        },
        rel=1e-5,
    )
    assert found.get(test="VISPOS").text == "positive"
    lesion = Finding.objects.get(lesion_number=1, test="SUVMAX")
    assert lesion.number == pytest.approx(SUV, rel=1e-5)
    assert (lesion.unit, lesion.location, lesion.run) == ("g/mL", "liver", 1)
    assert lesion.evaluator == scene.first
    assert lesion.found_at == Read.objects.get(pk=read.pk).signed_at
    assert Finding.objects.get(lesion_number=1, test="SUVPEAK").method == "ibsi_global"


def test_a_region_left_out_is_recorded_with_organ_and_reason_and_is_no_finding(scene):
    read = reads.open_read(scene.series, by=scene.first)
    row = only(read)
    with pytest.raises(Invalid) as refused:
        reads.decide(row, by=scene.first, decision="excluded", organ="spleen", reason=" ")
    assert refused.value.field == "reason"
    reads.decide(
        row, by=scene.first, decision="excluded", organ="spleen", reason="physiological", region="x"
    )
    reads.sign(read, by=scene.first, password=PASSWORD)
    assert only(read).region == ""
    results = {
        one.test: one.number if one.text == "" else one.text for one in Finding.objects.all()
    }
    assert results == {"LESNUM": 0, "VOLUME": 0, "UPTAKE": 0, "VISPOS": "negative"}
    event = AuditEvent.objects.filter(table="imaging_lesionread", operation="U").get()
    assert (event.action, event.reason) == ("region.decided", "physiological")
    assert event.after["organ"] == "spleen"


@pytest.mark.parametrize(
    ("method", "waits"),
    [
        ({"method": "imported"}, "none lies on this series yet"),
        (
            {
                "method": "reference_threshold",
                "region": "blood_pool",
                "times_mean": 1.5,
                "times_sd": 0.0,
                "minimum_volume_ml": 0.0,
            },
            "no lesion is outlined until a reader places it",
        ),
    ],
)
def test_that_nothing_is_outlined_yet_is_not_signed_as_no_lesion(scene, method, waits):
    plan = scene.series.imaging_study.scheduled_scan.planned_scan
    plan.segmentation = method
    with framed():
        plan.save(update_fields=["segmentation"])
    measure_again(scene.run)
    read = reads.open_read(scene.series, by=scene.first)
    assert [waits in one for one in reads.obstacles(read)] == [True]
    with pytest.raises(Refused, match=waits):
        reads.sign(read, by=scene.first, password=PASSWORD)
    reads.grow(read, by=scene.first, voxel=INSIDE)
    assert reads.obstacles(read) == ["Not decided yet: 1."]


def test_positivity_waits_for_a_reference_region_that_a_reader_accepted(scene):
    read = accepted(scene, scene.first, positivity="negative")
    assert "no reader has accepted" in reads.obstacles(read)[0]
    assert (
        refusal(lambda: reads.sign(read, by=scene.first, password=PASSWORD)) == "read-not-complete"
    )
    place_blood_pool(scene, scene.first)
    reads.sign(read, by=scene.first, password=PASSWORD)
    assert Finding.objects.get(lesion_number=None, test="VISPOS").text == "negative"


def state_rule(scene: Scene, times_mean: float) -> None:
    """Against the block's surroundings: 1000 stored, a twentieth of the block, without noise."""
    version = scene.series.imaging_study.scheduled_scan.planned_scan.version
    rule = {"region": "blood_pool", "times_mean": times_mean, "times_sd": 2.0, "on": "suvmax"}
    version.definition = version.definition | {"positivity": rule}
    with framed():
        version.save(update_fields=["definition"])
    scene.run = measure_again(scene.run)


def computed(scene: Scene) -> dict:
    rows = Finding.objects.filter(test="CMPPOS", superseded_at=None)
    return {one.lesion_number: (one.text, one.method) for one in rows}


@pytest.mark.parametrize(("times", "word"), [(19.0, "positive"), (21.0, "negative")])
def test_the_protocols_rule_judges_a_grown_region_and_goes_to_the_trial(scene, times, word):
    """The block is 20 times its surroundings."""
    state_rule(scene, times)
    place_blood_pool(scene, scene.first)
    read = reads.open_read(scene.series, by=scene.first)
    row = reads.grow(read, by=scene.first, voxel=INSIDE, instead_of=1)
    reads.decide(row, by=scene.first, decision="accepted")
    node = derivations.derivation_of(row.grown, "positivity", with_origin=False)
    assert (node.value, node.inputs[1].value) == (word, row.grown.suvmax)
    assert node.inputs[2].value == pytest.approx(times * SUV / 20, rel=1e-5)
    reads.sign(read, by=scene.first, password=PASSWORD)
    rule = f"SUVmax above {times:g} × mean + 2 × SD of the blood pool"
    assert computed(scene) == {None: (word, rule), 1: (word, rule)}


def test_without_an_accepted_region_a_lesion_is_not_checkable_and_no_negative(scene):
    state_rule(scene, 19.0)
    read = accepted(scene, scene.first)
    reads.sign(read, by=scene.first, password=PASSWORD)
    assert {word for word, _ in computed(scene).values()} == {"not_checkable"}
    node = derivations.derivation_of(only(read).measured, "positivity", with_origin=False)
    assert node.value == "not checkable"


def test_a_signed_read_is_not_changed_and_a_wrong_password_signs_nothing(scene):
    read = accepted(scene, scene.first)
    with pytest.raises(Invalid):
        reads.sign(read, by=scene.first, password="guessed")
    assert Read.objects.get().state == "draft"
    reads.sign(read, by=scene.first, password=PASSWORD)
    row = only(read)
    decide = partial(reads.decide, row, by=scene.first, decision="undecided")
    assert refusal(decide) == "read-signed"
    assert refusal(lambda: reads.grow(read, by=scene.first, voxel=INSIDE)) == "read-signed"
    assert refusal(lambda: reads.sign(read, by=scene.first, password=PASSWORD)) == "read-signed"
    assert reads.is_as_signed(Read.objects.get())
    with framed():
        LesionRead.objects.update(region="liver")
    assert not reads.is_as_signed(Read.objects.get())


def test_a_signed_read_rests_on_the_region_that_was_in_force_when_it_was_signed(scene):
    place_blood_pool(scene, scene.first)
    read = accepted(scene, scene.first, positivity="positive")
    reads.sign(read, by=scene.first, password=PASSWORD)
    regions.place(
        scene.run, kind="blood_pool", centre_mm=(12.0, 12.0, 12.0), radius_mm=5.0, by=scene.second
    )
    assert reads.is_as_signed(Read.objects.get())


def test_two_readers_read_apart_and_neither_touches_the_others(scene):
    one, other = accepted(scene, scene.first), reads.open_read(scene.series, by=scene.second)
    assert only(other).decision == "undecided"
    assert list(selecting.own(scene.second)) == [other]
    assert refusal(lambda: reads.decide(only(one), by=scene.second, decision="undecided")) == (
        "not-your-read"
    )
    sign = partial(reads.sign, one, by=scene.second, password=PASSWORD)
    assert refusal(sign) == "not-your-read"
    reads.sign(one, by=scene.first, password=PASSWORD)
    reads.decide(
        only(other), by=scene.second, decision="excluded", organ="other", reason="artefact"
    )
    reads.sign(other, by=scene.second, password=PASSWORD)
    counts = Finding.objects.filter(test="LESNUM", superseded_at=None)
    assert {row.evaluator: row.number for row in counts} == {scene.first: 1, scene.second: 0}


def test_where_two_readers_differ_is_told_of_the_patient(scene):
    patient = scene.series.imaging_study.scheduled_scan.patient

    def told() -> list:
        found = list(trial_findings.of_scans(patient))
        return [
            (each.question, each.first, each.second)
            for one in trial_findings.discordances(patient, found)
            for each in one.differences
        ]

    one = accepted(scene, scene.first, region="nodes_cervical_right")
    reads.sign(one, by=scene.first, password=PASSWORD)
    assert told() == []
    other = reads.open_read(scene.series, by=scene.second)
    reads.decide(
        only(other), by=scene.second, decision="excluded", organ="other", reason="artefact"
    )
    reads.sign(other, by=scene.second, password=PASSWORD)
    assert told() == [
        ("Number of lesions", "1", "0"),
        ("Scan", "not stated", "negative"),
        ("Nodes cervical right", "positive", "negative"),
    ]
    measure_again(scene.run)
    assert told() == []


def test_who_is_no_reader_reads_nothing(scene, everyone, pet_site):
    monitor = factories.make_user(Role.MONITOR, trial=pet_site.trial, site=pet_site)
    with pytest.raises(Forbidden):
        reads.open_read(scene.series, by=monitor)


def test_reading_again_needs_a_reason_and_supersedes_with_its_findings(scene):
    old = accepted(scene, scene.first)
    reads.sign(old, by=scene.first, password=PASSWORD)
    with pytest.raises(Invalid):
        reads.open_read(scene.series, by=scene.first)
    again = reads.open_read(scene.series, by=scene.first, reason="the spleen")
    assert only(again).decision == "undecided"
    reads.decide(
        only(again), by=scene.first, decision="excluded", organ="spleen", reason="physiological"
    )
    assert Read.objects.get(pk=old.pk).superseded_by is None
    reads.sign(again, by=scene.first, password=PASSWORD)
    assert Read.objects.get(pk=old.pk).superseded_by == again
    stands = Finding.objects.get(test="LESNUM", superseded_at=None)
    assert (stands.source_pk, stands.number) == (again.pk, 0)
    assert Finding.objects.get(test="LESNUM", superseded_at__isnull=False).source_pk == old.pk


def test_findings_of_a_read_end_with_the_measurement_that_was_read(scene):
    read = accepted(scene, scene.first)
    reads.sign(read, by=scene.first, password=PASSWORD)
    measure_again(scene.run)
    assert not Finding.objects.filter(superseded_at=None).exists()
    assert Finding.objects.filter(test="SUVMAX", source_pk=read.pk).count() == 2


def test_a_signed_read_of_an_earlier_measurement_has_ended_and_says_what_to_do(scene):
    reads.sign(accepted(scene, scene.first), by=scene.first, password=PASSWORD)
    assert selecting.ended(selecting.own_of(scene.series, scene.first)) == ""
    measure_again(scene.run)
    old = selecting.own_of(scene.series, scene.first)
    assert "measured again after run 1 was read" in selecting.ended(old)
    assert "Begin a new read" in selecting.ended(old)
    decide = partial(reads.decide, only(old), by=scene.first, decision="undecided")
    assert refusal(decide) == "read-ended"
    draft = reads.open_read(scene.series, by=scene.first)
    assert selecting.own_of(scene.series, scene.first) == draft


def test_a_read_whose_series_counts_once_more_stays_ended_until_it_is_read_again(scene):
    reads.sign(accepted(scene, scene.first), by=scene.first, password=PASSWORD)
    rows = Series.objects.filter(pk=scene.series.pk)
    with framed():
        rows.update(counts=False)
        read_results.end([scene.series.pk])
        rows.update(counts=True)
    old = selecting.own_of(scene.series, scene.first)
    assert "It counts again: begin a new read" in selecting.ended(old)
    assert (comparing.stands(old), selecting.newest(scene.run, scene.first)) == (False, None)
    assert refusal(partial(reads.decide, only(old), by=scene.first, decision="undecided")) == (
        "read-ended"
    )
    (row,) = selecting.with_own_read(rows, scene.first)
    assert (row.own_state, row.own_ended) == (None, True)
    # No reason is asked for: there is none that stands.
    again = accepted(scene, scene.first)
    reads.sign(again, by=scene.first, password=PASSWORD)
    old.refresh_from_db()
    assert (comparing.stands(again), old.superseded_by) == (True, again)
    assert Finding.objects.filter(test="SUVMAX", superseded_at=None).count() == 2


def test_a_new_measurement_overtakes_a_draft_and_same_regions_keep_what_was_decided(scene):
    old = accepted(scene, scene.first, region="stomach")
    run = measure_again(scene.run)
    sign = partial(reads.sign, old, by=scene.first, password=PASSWORD)
    assert refusal(sign) == "measured-again"
    read = reads.open_read(scene.series, by=scene.first)
    assert read.quantification == run
    assert (only(read).decision, only(read).region) == ("accepted", "stomach")
    assert Read.objects.get(pk=old.pk).state == "overtaken"


@pytest.mark.parametrize("voxel", [INSIDE, BESIDE])
def test_a_click_grows_the_block_from_its_hottest_voxel(scene, voxel):
    found = growing.preview(scene.run, voxel)
    assert found.measured.volume_ml == pytest.approx(VOLUME)
    assert found.grown.threshold == pytest.approx(0.41 * SUV, rel=1e-5)
    assert not LesionRead.objects.exists()


def test_what_was_said_of_other_voxels_is_not_said_of_a_region(scene):
    read = accepted(scene, scene.first)
    reads.grow(read, by=scene.first, voxel=INSIDE, instead_of=1)
    assert only(read).decision == "undecided"
    reads.decide(only(read), by=scene.first, decision="accepted")
    measure_again(scene.run)
    # Grown again in its place, and nobody said anything of it yet.
    assert only(reads.open_read(scene.series, by=scene.first)).decision == "undecided"


def test_a_grown_region_is_grown_again_at_its_place_in_the_patient(pet_site, everyone, scan):
    """The block reaches over the last slice: 3 of its planes, then all 4, one plane further up."""
    block = (9, 10, 10)
    run = records.make_measured(scan, by=everyone, blocks=[block])
    reader = factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site)
    old = reads.open_read(run.series, by=reader)
    row = reads.grow(old, by=reader, voxel=(10, 11, 11), instead_of=1)
    reads.decide(row, by=reader, decision="accepted", region="stomach")
    records.add_slices(run, [-1, 12], blocks=[block])
    measure_again(run)
    read = reads.open_read(run.series, by=reader)
    outline, again = selecting.rows_of(read)
    assert again.grown.clicked_voxel == [11, 11, 11]
    assert again.grown.grown_from == row.grown
    volumes = [row.grown.volume_ml, again.grown.volume_ml]
    assert volumes == pytest.approx([VOLUME * 3 / 4, VOLUME])
    assert (outline.decision, again.decision) == ("undecided", "undecided")
    assert reads.obstacles(read) == ["Not decided yet: 1, 2."]
    assert reads.open_read(run.series, by=reader) == read


def test_a_region_that_is_not_grown_again_is_named_on_the_draft(scene):
    read = reads.open_read(scene.series, by=scene.first)
    inside = reads.grow(read, by=scene.first, voxel=INSIDE)
    outside = reads.grow(read, by=scene.first, voxel=BESIDE)
    with framed():
        GrownLesion.objects.filter(pk=outside.grown_id).update(clicked_mm=[0.0, 0.0, 999.0])
    measure_again(scene.run)
    read = reads.open_read(scene.series, by=scene.first)
    assert [row.grown and row.grown.grown_from for row in selecting.rows_of(read)] == [
        None,
        inside.grown,
    ]
    assert [(one["number"], one["code"]) for one in read.not_carried] == [(3, "seed-outside")]
    assert reads.content_of(read)["not_carried"] == read.not_carried


def test_a_region_grown_by_another_method_is_not_taken_over(scene):
    read = reads.open_read(scene.series, by=scene.first)
    reads.grow(read, by=scene.first, voxel=INSIDE)
    plan = scene.series.imaging_study.scheduled_scan.planned_scan
    plan.segmentation |= {"click": {"method": "threshold", "suv": 2.5}}
    with framed():
        plan.save(update_fields=["segmentation"])
    measure_again(scene.run)
    read = reads.open_read(scene.series, by=scene.first)
    assert only(read).grown is None
    assert [one["code"] for one in read.not_carried] == ["method-changed"]
    # Measured once more before anybody signed that it is gone: it is named still.
    measure_again(read.quantification)
    again = reads.open_read(read.quantification.series, by=read.reader)
    assert (again.pk != read.pk, again.not_carried) == (True, read.not_carried)


def test_what_was_grown_in_a_signed_read_is_there_when_it_is_read_again(scene):
    old = reads.open_read(scene.series, by=scene.first)
    row = reads.grow(old, by=scene.first, voxel=INSIDE, instead_of=1)
    reads.decide(row, by=scene.first, decision="accepted")
    reads.sign(old, by=scene.first, password=PASSWORD)
    again = only(reads.open_read(scene.series, by=scene.first, reason="the spleen"))
    assert (again.decision, again.grown.grown_from) == ("undecided", row.grown)


def test_no_voxel_of_a_lesion_is_grown_into_another_one(scene):
    read = accepted(scene, scene.first)
    grow = partial(reads.grow, read, by=scene.first, voxel=INSIDE)
    with pytest.raises(Refused, match=r"shares 3\.07 mL with region 1, which you called a lesion"):
        grow()
    assert only(read).grown is None
    grow(instead_of=1)
    reads.decide(only(read), by=scene.first, decision="accepted")
    reads.sign(read, by=scene.first, password=PASSWORD)
    assert Finding.objects.get(lesion_number=None, test="VOLUME").number == pytest.approx(VOLUME)


def test_of_two_regions_that_share_voxels_one_is_accepted(scene):
    read = reads.open_read(scene.series, by=scene.first)
    reads.grow(read, by=scene.first, voxel=INSIDE)
    one, other = selecting.rows_of(read)
    reads.decide(one, by=scene.first, decision="accepted")
    assert refusal(partial(reads.decide, other, by=scene.first, decision="accepted")) == (
        "shares-voxels"
    )
    reads.decide(one, by=scene.first, decision="excluded", organ="other", reason="grown anew")
    reads.decide(other, by=scene.first, decision="accepted")
    reads.sign(read, by=scene.first, password=PASSWORD)
    of_scan = Finding.objects.filter(lesion_number=None)
    assert of_scan.get(test="VOLUME").number == pytest.approx(VOLUME)
    assert of_scan.get(test="UPTAKE").number == pytest.approx(SUV * VOLUME, rel=1e-5)


def test_a_draft_in_which_voxels_count_twice_already_is_not_signed(scene):
    read = reads.open_read(scene.series, by=scene.first)
    reads.grow(read, by=scene.first, voxel=INSIDE)
    with framed():
        LesionRead.objects.update(decision="accepted")
    assert reads.obstacles(read) == [
        "Regions 1 and 2 share 3.07 mL, which would count twice: keep one of them."
    ]
    sign = partial(reads.sign, read, by=scene.first, password=PASSWORD)
    assert refusal(sign) == "read-not-complete"


def test_a_click_outside_the_image_is_refused_by_name(scene):
    below = (records.PLANES, 0, 0)
    assert refusal(lambda: growing.preview(scene.run, below)) == "seed-outside"


def test_a_grown_region_is_one_more_or_stands_in_place_of_an_outline(scene):
    read = reads.open_read(scene.series, by=scene.first)
    first, more = (
        reads.grow(read, by=scene.first, voxel=INSIDE, instead_of=number) for number in (1, None)
    )
    assert (first.number, first.lesion.number, more.number, more.lesion) == (1, 1, 2, None)
    assert first.measured == first.grown
    assert first.grown.clicked_mm == [44.0, 44.0, 15.0]
    assert first.grown.parameters == {"method": "part_of_maximum", "part": 0.41}
    assert reads.obstacles(read) == ["Not decided yet: 1, 2."]
    with pytest.raises(Invalid):
        reads.grow(read, by=scene.first, voxel=INSIDE, instead_of=9)


def test_a_scan_is_positive_by_one_lesion_and_negative_only_if_all_are_said():
    def seen(*words: str) -> str:
        return reads.visual_positivity([LesionRead(positivity=word) for word in words])

    assert seen("negative", "positive", "not_stated") == "positive"
    assert seen("negative", "not_stated") == "not_stated"
    assert seen("negative", "negative") == seen() == "negative"


def test_the_organs_of_a_tracer_come_first_and_none_is_left_out():
    for tracer in ("68Ga-Pentixafor", "18F-FDG", "another"):
        offered = [code for code, _ in reading_terms.organs_for(tracer)]
        assert sorted(offered) == sorted(code for code, _ in reading_terms.ORGANS)
        usual = reading_terms.usual_organs(tracer)
        assert tuple(offered[: len(usual)]) == usual
