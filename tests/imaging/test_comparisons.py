"""Two signed reads compared: pairs proposed, confirmed, taken apart, joined, signed.

The scans have hot blocks of 16 x 16 x 12 mm, 3.072 mL. The shared one lies a column of 4 mm
further in the second: three of four columns are in both, 2.304 mL, Dice 0.75.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest
from django.db import transaction
from django.test import override_settings

from imaging.isometries import Isometry, mirror, shift
from imaging.matching import RecordedShift
from imaging.models import LesionComparison, LesionPair, Read
from imaging.selectors import comparisons as selecting
from imaging.services import comparisons, reads
from tests import factories, records
from tests.factories import PASSWORD
from tests.imaging import comparing
from tests.imaging.comparing import TwoScans
from tests.imaging.test_reads import measure_again, refusal
from trials.models import AuditEvent, Signature
from trials.roles import Role
from trials.services.errors import Forbidden, Invalid

pytestmark = pytest.mark.django_db


@dataclass
class Scene:
    scans: TwoScans
    first: Read
    second: Read

    @property
    def reader(self):
        return self.scans.reader

    def proposed(self, **more) -> LesionComparison:
        return comparisons.propose(self.first, self.second, by=self.reader, **more)


@pytest.fixture(scope="module")
def arranged(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[TwoScans]:
    """Two scans and two signed reads for all tests; what each adds is rolled back behind it."""
    folder = override_settings(STORAGE=tmp_path_factory.mktemp("storage"))
    with django_db_blocker.unblock(), folder, transaction.atomic():
        site = factories.make_site(factories.make_trial())
        scans = comparing.make_two_scans(site, by=records.everyone(site.trial))
        scans.both_signed()
        yield scans
        transaction.set_rollback(True)


@pytest.fixture
def scene(arranged, db) -> Scene:
    reads_of = Read.objects.filter(reader=arranged.reader).order_by("pk")
    return Scene(arranged, *reads_of)


@pytest.fixture
def pet_site(scene):
    return scene.scans.site


@pytest.fixture
def everyone(pet_site):
    return records.everyone(pet_site.trial)


def told(comparison) -> list[tuple]:
    return [
        (
            one.number,
            one.first and one.first.number,
            one.second and one.second.number,
            one.outcome,
            one.status,
        )
        for one in selecting.pairs_of(comparison)
    ]


def pair_with(comparison, outcome) -> LesionPair:
    (pair,) = [one for one in selecting.pairs_of(comparison) if one.outcome == outcome]
    return pair


def settle(scene, comparison) -> None:
    numbers = [one.number for one in selecting.pairs_of(comparison)]
    comparisons.confirm(comparison, numbers, by=scene.reader)


def signed(scene, **more) -> LesionComparison:
    comparison = scene.proposed(**more)
    settle(scene, comparison)
    comparisons.sign(comparison, by=scene.reader, password=PASSWORD)
    return LesionComparison.objects.get(pk=comparison.pk)


def test_lesions_that_share_volume_are_proposed_as_one_and_the_others_alone(scene):
    comparison = scene.proposed()
    assert (comparison.kind, comparison.state, comparison.shift) == ("tracers", "draft", {})
    outcomes = [one.outcome for one in selecting.pairs_of(comparison)]
    assert sorted(outcomes) == ["both", "first-only", "second-only"]
    both = pair_with(comparison, "both")
    assert (both.matched_by, both.status) == ("overlap", "proposed")
    assert both.shared_ml == pytest.approx(3 * 4 * 4 * 0.048)
    assert both.dice == pytest.approx(0.75)
    assert both.distance_mm == pytest.approx(4.0)
    assert comparison.parameters == {
        "least_overlap": 0.25,
        "largest_distance_mm": 15.0,
        "origin": "usual",
    }


def test_fdg_is_second_whichever_is_named_first_and_a_draft_is_proposed_once(scene):
    comparison = comparisons.propose(scene.second, scene.first, by=scene.reader)
    assert (comparison.first, comparison.second) == (scene.first, scene.second)
    assert scene.proposed() == comparison
    assert LesionComparison.objects.count() == 1


def test_taking_a_pair_apart_leaves_each_lesion_alone_and_the_pair_on_record(scene):
    comparison = scene.proposed()
    both = pair_with(comparison, "both")
    one, other = comparisons.take_apart(comparison, both.number, by=scene.reader)
    assert (one.outcome, other.outcome) == ("first-only", "second-only")
    assert (one.first, other.second) == (both.first, both.second)
    assert {one.status, other.status} == {"confirmed"}
    assert LesionPair.objects.get(pk=both.pk).status == "rejected"
    alone = refusal(lambda: comparisons.take_apart(comparison, one.number, by=scene.reader))
    assert alone == "one-lesion-alone"
    event = AuditEvent.objects.filter(table="imaging_lesionpair", operation="U").get()
    assert event.action == "pair.taken_apart"


def test_joined_lesions_are_one_place_with_the_others_as_its_parts(scene):
    comparison = scene.proposed()
    numbers = [one.number for one in selecting.pairs_of(comparison)]
    joined = comparisons.join(comparison, numbers, by=scene.reader)
    assert [row[0] for row in told(comparison)] == [joined.number]
    assert (joined.outcome, joined.matched_by, joined.shared_ml) == ("both", "reader", None)
    named = {joined.first.number, *joined.first_parts}, {joined.second.number, *joined.second_parts}
    assert named == ({1, 2}, {1, 2})
    parts = comparisons.take_apart(comparison, joined.number, by=scene.reader)
    assert [one.outcome for one in parts] == ["first-only"] * 2 + ["second-only"] * 2
    with pytest.raises(Invalid):
        comparisons.join(comparison, [parts[0].number], by=scene.reader)
    with pytest.raises(Invalid):
        comparisons.join(comparison, [parts[0].number, 99], by=scene.reader)


def test_two_lesions_joined_by_the_reader_are_as_far_apart_as_they_are(scene):
    comparison = scene.proposed()
    numbers = [pair_with(comparison, one).number for one in ("first-only", "second-only")]
    joined = comparisons.join(comparison, numbers, by=scene.reader)
    # Sixteen rows and columns of 4 mm.
    assert joined.distance_mm == pytest.approx(16 * 4 * 2**0.5)


def test_a_signature_waits_for_every_pair_and_then_nothing_changes(scene):
    comparison = scene.proposed()
    sign = partial(comparisons.sign, comparison, by=scene.reader, password=PASSWORD)
    assert comparisons.obstacles(comparison) == ["Not confirmed yet: 1, 2, 3."]
    assert refusal(sign) == "comparison-not-complete"
    settle(scene, comparison)
    with pytest.raises(Invalid):
        comparisons.sign(comparison, by=scene.reader, password="guessed")
    signature = sign()
    assert signature.meaning == Signature.Meaning.READ
    assert [one["outcome"] for one in signature.content["pairs"]] == [
        row[3] for row in told(comparison)
    ]
    assert refusal(sign) == "comparison-signed"
    assert refusal(lambda: settle(scene, comparison)) == "comparison-signed"
    assert list(selecting.standing(LesionComparison.objects.all())) == [comparison]


def test_comparing_again_needs_a_reason_and_takes_the_place_of_the_first(scene):
    old = signed(scene)
    with pytest.raises(Invalid):
        scene.proposed()
    again = signed(scene, reason="one was missed")
    assert LesionComparison.objects.get(pk=old.pk).superseded_by == again
    assert list(selecting.standing(LesionComparison.objects.all())) == [again]


def test_a_new_measurement_or_another_read_ends_what_a_comparison_says(scene):
    comparison = signed(scene)
    scene.scans.signed(scene.scans.first)
    assert not selecting.is_current(LesionComparison.objects.get(pk=comparison.pk))
    assert not selecting.standing(LesionComparison.objects.all())
    assert refusal(scene.proposed) == "read-not-standing"


def test_a_draft_ends_when_its_series_is_measured_again(scene):
    comparison = scene.proposed()
    measure_again(scene.scans.first)
    settling = partial(comparisons.confirm, comparison, [1], by=scene.reader)
    assert refusal(settling) == "read-not-standing"
    assert refusal(scene.proposed) == "read-not-standing"


def test_scans_in_two_frames_need_a_recorded_shift_which_is_kept_with_how_it_was_found(
    pet_site, everyone
):
    scans = comparing.make_two_scans(pet_site, by=everyone, second=[(4, 10, 15)], frame="1.2.99")
    scene = Scene(scans, *scans.both_signed())
    assert not comparisons.shares_frame(scene.first, scene.second)
    assert refusal(scene.proposed) == "another-frame"
    mirrored = RecordedShift(motion=mirror(point_mm=(0, 0, 0), normal=(1, 0, 0)), how="seen")
    assert refusal(lambda: scene.proposed(shift=mirrored)) == "shift-invalid"
    # Five columns back; named the other way round it is the same shift.
    there = RecordedShift(motion=shift((20.0, 0.0, 0.0)), how="spine laid on spine")
    made = comparisons.propose(scene.second, scene.first, by=scene.reader, shift=there)
    comparison = LesionComparison.objects.get(pk=made.pk)
    assert comparison.shift["offset_mm"] == [-20.0, 0.0, 0.0]
    assert comparison.shift_how == "spine laid on spine"
    both = pair_with(comparison, "both")
    assert (both.dice, both.distance_mm) == (pytest.approx(1.0), pytest.approx(0.0, abs=1e-6))
    assert comparisons.motion_of(comparison) == Isometry(offset_mm=(-20.0, 0.0, 0.0))


def test_the_rule_of_the_newer_protocol_version_proposes_and_is_kept(scene):
    version = scene.scans.site.version_in_force
    stated = {"least_overlap": 0.9, "largest_distance_mm": 3.0, "provenance": "proposed"}
    with factories.framed():
        version.definition = version.definition | {"lesion_matching": stated}
        version.save(update_fields=["definition"])
    comparison = scene.proposed()
    assert comparison.parameters == {
        "least_overlap": 0.9,
        "largest_distance_mm": 3.0,
        "origin": "proposed",
    }
    # A column apart they share three quarters and lie 4 mm apart: two lesions, by this rule.
    assert [one[3] for one in told(comparison)].count("both") == 0


def test_a_lesion_beyond_the_other_scan_is_not_covered_also_when_taken_apart(pet_site, everyone):
    scans = comparing.make_two_scans(
        pet_site, by=everyone, first=[comparing.SHARED], second=[comparing.SHARED], frame="1.2.99"
    )
    scene = Scene(scans, *scans.both_signed())
    away = RecordedShift(motion=shift((200.0, 0.0, 0.0)), how="by eye")
    comparison = scene.proposed(shift=away)
    assert [row[3] for row in told(comparison)] == ["not-covered", "not-covered"]
    joined = comparisons.join(comparison, [1, 2], by=scene.reader)
    parts = comparisons.take_apart(comparison, joined.number, by=scene.reader)
    assert [one.outcome for one in parts] == ["not-covered", "not-covered"]


def test_images_of_two_patients_of_one_scan_or_of_unsigned_reads_are_not_compared(
    scene, pet_site, everyone
):
    other = comparing.make_two_scans(pet_site, by=everyone)
    other.reader = scene.reader
    stranger = other.signed(other.first)
    mix = partial(partial, comparisons.propose, by=scene.reader)
    assert refusal(mix(scene.first, stranger)) == "not-of-one-patient"
    assert refusal(mix(scene.first, scene.first)) == "same-scan"
    unsigned = reads.open_read(other.second.series, by=scene.reader)
    assert refusal(mix(stranger, unsigned)) == "read-not-standing"


def test_a_negative_scan_is_compared_but_one_without_outlines_is_not(pet_site, everyone):
    scans = comparing.make_two_scans(pet_site, by=everyone, second=())
    scene = Scene(scans, *scans.both_signed())
    assert [row[3] for row in told(scene.proposed())] == ["first-only", "first-only"]
    waiting = comparing.make_two_scans(pet_site, by=everyone, second=())
    scene = Scene(waiting, *waiting.both_signed())
    # Of an earlier release: such a run can't be signed any more.
    with factories.framed():
        type(waiting.second).objects.filter(pk=waiting.second.pk).update(
            flags=["reference-region-missing"]
        )
    assert refusal(scene.proposed) == "not-outlined"


def test_regions_that_two_reads_give_differently_are_for_the_reader_to_choose(pet_site, everyone):
    scans = comparing.make_two_scans(
        pet_site, by=everyone, first=[comparing.SHARED], second=[comparing.SHARED_BESIDE]
    )
    first = scans.signed(scans.first, region="liver")
    second = scans.signed(scans.second, region="stomach")
    scene = Scene(scans, first, second)
    comparison = scene.proposed()
    pair = pair_with(comparison, "both")
    assert (pair.region, pair.regions_differ) == ("liver", True)
    with pytest.raises(Invalid) as refused:
        settle(scene, comparison)
    assert refused.value.field == "region"
    with pytest.raises(Invalid):
        comparisons.place(comparison, 1, region="nowhere", by=scene.reader)
    comparisons.place(comparison, 1, region="stomach", by=scene.reader)
    settle(scene, comparison)
    pair = pair_with(comparison, "both")
    assert (pair.region, pair.regions_differ, pair.status) == ("stomach", False, "confirmed")


def test_no_reader_sees_or_changes_the_comparison_of_another(scene, pet_site):
    comparison = scene.proposed()
    other = factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site)
    assert not selecting.own(other)
    assert not selecting.comparable(other)
    (mine,) = selecting.comparable(scene.reader)
    assert mine.comparison == comparison
    for act in (
        lambda: comparisons.confirm(comparison, [1], by=other),
        lambda: comparisons.take_apart(comparison, 1, by=other),
        lambda: comparisons.join(comparison, [1, 2], by=other),
        lambda: comparisons.place(comparison, 1, region="liver", by=other),
        lambda: comparisons.sign(comparison, by=other, password=PASSWORD),
    ):
        assert refusal(act) == "not-your-comparison"
    assert refusal(lambda: comparisons.propose(scene.first, scene.second, by=other)) == (
        "not-your-read"
    )
    monitor = factories.make_user(Role.MONITOR, trial=pet_site.trial, site=pet_site)
    with pytest.raises(Forbidden):
        comparisons.propose(scene.first, scene.second, by=monitor)


def test_a_region_that_a_reader_grew_is_matched_by_its_own_voxels(scene):
    read = reads.open_read(scene.scans.first.series, by=scene.reader, reason="grown")
    reads.grow(read, by=scene.reader, voxel=(5, 11, 11), instead_of=_number_at(read, (10, 10)))
    for row in reads.selecting.rows_of(read):
        reads.decide(row, by=scene.reader, decision="accepted")
    reads.sign(read, by=scene.reader, password=PASSWORD)
    scene.first = Read.objects.get(pk=read.pk)
    both = pair_with(scene.proposed(), "both")
    assert both.first.grown is not None
    assert both.dice == pytest.approx(0.75)


def _number_at(read, place) -> int:
    (number,) = [
        row.number
        for row in reads.selecting.rows_of(read)
        if place[0] <= row.lesion.suvmax_voxel[1] < place[0] + records.EDGE
        and place[1] <= row.lesion.suvmax_voxel[2] < place[1] + records.EDGE
    ]
    return number
