"""Readers who differ: what counts meanwhile, who settles it, and what voids what was settled.

The series has one hot block, as in `test_reads`: one reader calls it a lesion, the other not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import pytest
from django.http import Http404

from imaging.models import Adjudication, Quantification, Read, ReaderAgreement, Series
from imaging.selectors import adjudications as selecting
from imaging.selectors import reads as read_selectors
from imaging.services import adjudications, read_counting, read_results, reads, regions
from tests import factories, records
from tests.factories import PASSWORD, framed
from tests.imaging.conftest import scan_of_its_day
from tests.imaging.test_reads import INSIDE, SUV, only, refusal
from trials.models import AuditEvent, CountedRead, Finding, ProtocolVersion, Site, User
from trials.roles import Role
from trials.selectors import counted_reads
from trials.services.errors import Forbidden, Invalid

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage_as_kept")]

RULE = {
    "readers": 2,
    "blinded_to": ["other-readers"],
    "adjudication": "third-reader",
    "discordant": ["lesion-number", "scan", "region"],
    "source": ["A"],
}


@dataclass
class Scene:
    run: Quantification
    first: User
    second: User
    third: User

    @property
    def series(self) -> Series:
        """Asked anew, with the protocol as it is stated now."""
        return Series.objects.get(pk=self.run.series_id)

    @property
    def scan(self):
        return self.series.imaging_study.scheduled_scan

    def counted(self) -> CountedRead | None:
        return counted_reads.of_scan(self.scan)


def state(scene: Scene, **changed) -> None:
    """Have the protocol state how scans are read."""
    with framed():
        ProtocolVersion.objects.update(definition={"reads": RULE | changed})


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
    readers = (
        factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site) for _ in range(3)
    )
    made = Scene(run, *readers)
    regions.place(run, kind="blood_pool", centre_mm=(12.0, 12.0, 6.0), radius_mm=5.0, by=made.first)
    state(made)
    return made


def read_as(
    scene: Scene, by: User, *, lesion: bool, reason: str = "", region: str = "liver"
) -> Read:
    read = reads.open_read(scene.series, by=by, reason=reason)
    said = {"decision": "accepted", "region": region, "positivity": "positive"}
    if not lesion:
        said = {"decision": "excluded", "organ": "other", "reason": "artefact"}
    reads.decide(only(read), by=by, **said)
    reads.sign(read, by=by, password=PASSWORD)
    return Read.objects.get(pk=read.pk)


def differ(scene: Scene, *, region: str = "liver") -> tuple[Read, Read]:
    return (
        read_as(scene, scene.first, lesion=True, region=region),
        read_as(scene, scene.second, lesion=False),
    )


def letter_of(row: Adjudication, read: Read) -> str:
    return next(one.letter for one in selecting.sides(row) if one.read == read)


def settled(scene: Scene, read: Read) -> Adjudication:
    row = adjudications.begin(scene.series, by=scene.third)
    adjudications.sign(
        row,
        by=scene.third,
        choice=letter_of(row, read),
        reason="focal uptake in segment IV",
        password=PASSWORD,
    )
    return Adjudication.objects.get(pk=row.pk)


def test_no_read_counts_before_the_readers_that_the_protocol_asks_for_have_signed(scene):
    read_as(scene, scene.first, lesion=True)
    counted = scene.counted()
    assert (counted.basis, counted.counts) == ("awaiting-readers", False)
    assert counted.why == "1 of 2 readers has signed: no read counts before all have."
    assert not counted_reads.counting_findings(scene.scan).exists()


def test_of_readers_who_agree_the_read_signed_first_counts(scene):
    first = read_as(scene, scene.first, lesion=True)
    read_as(scene, scene.second, lesion=True)
    counted = scene.counted()
    assert (counted.basis, counted.source_pk) == ("agreed", first.pk)
    assert {one.source_pk for one in counted_reads.counting_findings(scene.scan)} == {first.pk}
    answers = ReaderAgreement.objects.values_list("question", "subject", "is_discordant")
    assert list(answers) == [
        ("lesion-number", "", False),
        ("scan", "", False),
        ("region", "liver", False),
    ]
    assert refusal(partial(reads.open_read, scene.series, by=scene.third)) == "read-enough"


def test_where_readers_differ_no_read_counts_and_the_answers_are_kept(scene):
    differ(scene)
    counted = scene.counted()
    assert (counted.basis, counted.counts) == ("awaiting-adjudication", False)
    assert counted.why == "Two readers differ, awaiting adjudication by a third reader."
    answers = ReaderAgreement.objects.filter(is_discordant=True, is_asked=True)
    assert list(answers.values_list("question", "subject", "first_answer", "second_answer")) == [
        ("lesion-number", "", "1", "0"),
        ("scan", "", "positive", "negative"),
        ("region", "liver", "positive", "negative"),
    ]


def test_one_without_a_rule_counts_alone_and_two_who_differ_are_settled_by_nobody(scene):
    state(scene, provenance="proposed")
    one = read_as(scene, scene.first, lesion=True)
    assert (scene.counted().basis, scene.counted().source_pk) == ("only", one.pk)
    read_as(scene, scene.second, lesion=False)
    assert (scene.counted().basis, scene.counted().counts) == ("unsettled", False)
    act = partial(adjudications.begin, scene.series, by=scene.third)
    assert refusal(act) == "nothing-to-adjudicate"


def test_the_task_is_that_of_a_third_reader_alone_and_of_one(scene):
    differ(scene)
    series = type(scene.series).objects.all()
    tasks = {user: selecting.tasks(series, user) for user in (scene.first, scene.third)}
    assert [len(one) for one in tasks.values()] == [0, 1]
    act = partial(adjudications.begin, scene.series, by=scene.first)
    assert refusal(act) == "not-the-adjudicator"
    adjudications.begin(scene.series, by=scene.third)
    fourth = factories.make_user(Role.READER, trial=scene.scan.patient.trial)
    # To another it is shown as one to take over.
    assert [one.is_anothers for one in selecting.tasks(series, fourth)] == [True]
    assert [one.is_anothers for one in selecting.tasks(series, scene.third)] == [False]
    act = partial(adjudications.begin, scene.series, by=fourth)
    assert refusal(act) == "adjudicated-by-another"
    monitor = factories.make_user(Role.MONITOR, trial=scene.scan.patient.trial)
    with pytest.raises(Forbidden):
        adjudications.begin(scene.series, by=monitor)


def test_who_read_another_series_of_the_scan_is_no_third_reader_of_it(scene):
    differ(scene)
    with framed():
        repeated = Series.objects.get(pk=scene.series.pk)
        repeated.pk, repeated.series_instance_uid = None, "2.25.4711"
        repeated.reading_identifier = "R00004711"
        repeated.save(force_insert=True)
    assert not selecting.may_settle(repeated, scene.first)
    assert selecting.may_settle(repeated, scene.third)
    state(scene, adjudication="consensus")
    assert selecting.may_settle(Series.objects.get(pk=repeated.pk), scene.first)
    assert not selecting.may_settle(Series.objects.get(pk=repeated.pk), scene.third)


def test_what_a_third_reader_chooses_counts_with_the_reason_that_was_signed(scene):
    one, other = differ(scene)
    row = settled(scene, other)
    counted = scene.counted()
    assert (counted.basis, counted.source_pk) == ("adjudicated", other.pk)
    assert counted.why == "Two readers differed; a third reader settled it."
    assert (row.chosen, row.reason) == (other, "focal uptake in segment IV")
    event = AuditEvent.objects.filter(action="adjudication.signed").first()
    assert event.reason == "focal uptake in segment IV"
    assert Finding.objects.filter(source_pk=one.pk, superseded_at=None).exists()
    again = partial(
        adjudications.sign, row, by=scene.third, choice="A", reason="again", password=PASSWORD
    )
    assert refusal(again) == "adjudication-signed"


def test_a_third_reader_may_read_anew_and_that_read_is_no_third_opinion(scene):
    differ(scene)
    row = adjudications.begin(scene.series, by=scene.third)
    anew = partial(
        adjudications.sign,
        row,
        by=scene.third,
        choice=adjudications.ANEW,
        reason="neither is right",
        password=PASSWORD,
    )
    with pytest.raises(Invalid):
        anew()
    own = read_as(scene, scene.third, lesion=True)
    assert own.is_adjudication
    assert scene.counted().basis == "awaiting-adjudication"
    anew()
    assert (scene.counted().basis, scene.counted().source_pk) == ("adjudicated", own.pk)
    found = counted_reads.counting_findings(scene.scan)
    assert {one.role for one in found} == {"adjudicator"}
    assert found.get(test="SUVMAX", lesion_number=None).number == pytest.approx(SUV, rel=1e-5)
    assert ReaderAgreement.objects.filter(second=own).count() == 0


def test_a_reader_who_reads_again_voids_what_was_settled_and_says_so(scene):
    one, _ = differ(scene)
    row = adjudications.begin(scene.series, by=scene.third)
    own = read_as(scene, scene.third, lesion=True)
    adjudications.sign(
        row, by=scene.third, choice="anew", reason="neither is right", password=PASSWORD
    )
    again = read_as(scene, scene.second, lesion=True, reason="saw the CT")
    row.refresh_from_db()
    own.refresh_from_db()
    assert row.state == "void"
    assert "signed again" in row.void_because
    assert own.ended_because == row.void_because
    assert (scene.counted().basis, scene.counted().source_pk) == ("agreed", one.pk)
    ended = ReaderAgreement.objects.filter(ended_at=None)
    assert {(each.first_id, each.second_id) for each in ended} == {(one.pk, again.pk)}
    bases = scene.scan.counted_reads.values_list("basis", flat=True)
    assert list(bases) == [
        "awaiting-readers",
        "awaiting-adjudication",
        "adjudicated",
        "agreed",
    ]
    assert refusal(partial(reads.open_read, scene.series, by=scene.third)) == "adjudicated-here"


def test_a_series_that_is_measured_again_leaves_no_read_that_counts(scene):
    _, other = differ(scene)
    settled(scene, other)
    with framed():
        read_results.end([scene.series.pk])
    assert scene.counted() is None
    assert Adjudication.objects.get().state == "void"
    assert not ReaderAgreement.objects.filter(ended_at=None).exists()


def test_a_consensus_counts_once_each_reader_signed_the_same_choice(scene):
    state(scene, adjudication="consensus")
    one, other = differ(scene)
    act = partial(adjudications.begin, scene.series, by=scene.third)
    assert refusal(act) == "not-the-adjudicator"
    row = adjudications.begin(scene.series, by=scene.first)
    assert adjudications.begin(scene.series, by=scene.second) == row

    def sign(by: User, read: Read) -> str:
        adjudications.sign(
            row, by=by, choice=letter_of(row, read), reason="seen together", password=PASSWORD
        )
        row.refresh_from_db()
        return row.state

    anew = partial(adjudications.sign, row, by=scene.first, choice="anew", reason="as seen")
    with pytest.raises(Invalid):
        anew(password=PASSWORD)
    assert sign(scene.first, one) == "proposed"
    assert scene.counted().why == "Two readers differ, awaiting their consensus."
    # Another choice is another proposal, which the first has to sign too.
    assert sign(scene.second, other) == "proposed"
    assert sign(scene.first, other) == "signed"
    assert (scene.counted().basis, scene.counted().source_pk) == ("adjudicated", other.pk)


def test_a_lesion_there_for_one_reader_alone_is_told_by_its_place(scene):
    """Both call one lesion one: by matching, they differ in which."""
    state(scene, discordant=["lesion"])
    read_as(scene, scene.first, lesion=True)
    read_as(scene, scene.second, lesion=False)
    rows = ReaderAgreement.objects.filter(question="lesion")
    assert list(rows.values_list("subject", "first_answer", "second_answer", "is_asked")) == [
        ("1", "present", "absent", True)
    ]
    assert scene.counted().basis == "awaiting-adjudication"


def test_reads_of_an_earlier_release_are_counted_by_and_by(scene):
    state(scene, provenance="proposed")
    read = read_as(scene, scene.first, lesion=True)
    with framed():
        CountedRead.objects.update(ended_at=read.signed_at)
    assert scene.counted() is None
    read_counting.settle_due()
    assert (scene.counted().basis, scene.counted().source_pk) == ("only", read.pk)
    read_counting.settle_due()
    assert scene.scan.counted_reads.count() == 2


def test_a_third_reader_opens_the_derivation_of_what_another_grew_once_begun(scene):
    read = reads.open_read(scene.series, by=scene.first)
    grown = reads.grow(read, by=scene.first, voxel=INSIDE, instead_of=1)
    said = {"decision": "accepted", "region": "liver", "positivity": "positive"}
    reads.decide(grown, by=scene.first, **said)
    reads.sign(read, by=scene.first, password=PASSWORD)
    read_as(scene, scene.second, lesion=False)
    with pytest.raises((Http404, Forbidden)):
        read_selectors.grown_seen_by(scene.third, grown.grown_id)
    adjudications.begin(scene.series, by=scene.third)
    assert read_selectors.grown_seen_by(scene.third, grown.grown_id) == grown.grown


def test_a_draft_of_one_reader_more_than_the_protocol_asks_for_is_not_signed(scene):
    late = reads.open_read(scene.series, by=scene.third)
    reads.decide(only(late), by=scene.third, decision="accepted", region="liver")
    read_as(scene, scene.first, lesion=True)
    read_as(scene, scene.second, lesion=True)
    sign = partial(reads.sign, late, by=scene.third, password=PASSWORD)
    assert refusal(sign) == "read-enough"
    assert scene.counted().basis == "agreed"
    # Who is one of the two may still read again.
    again = read_as(scene, scene.first, lesion=True, reason="a slip of the hand")
    assert again.state == "signed"


def test_what_a_third_reader_began_another_takes_over(scene, pet_site):
    first, _ = differ(scene)
    fourth = factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site)
    take_over = partial(adjudications.take_over, scene.series, by=fourth, reason="on sick leave")
    assert refusal(take_over) == "nothing-to-take-over"
    begun = adjudications.begin(scene.series, by=scene.third)
    own = reads.open_read(scene.series, by=scene.third)
    assert refusal(partial(adjudications.begin, scene.series, by=fourth)) == (
        "adjudicated-by-another"
    )
    row = take_over()
    begun.refresh_from_db()
    own.refresh_from_db()
    assert (begun.state, begun.void_because) == ("void", "Another reader took it over.")
    assert own.state == "overtaken"
    settle = partial(adjudications.sign, choice="A", reason="focal uptake", password=PASSWORD)
    assert refusal(partial(settle, begun, by=scene.third)) == "adjudication-void"
    settle(row, by=fourth, choice=letter_of(row, first))
    assert scene.counted().source_pk == first.pk
    assert AuditEvent.objects.filter(reason="on sick leave").exists()


def test_who_it_was_taken_from_leaves_it_for_a_week(scene, pet_site):
    differ(scene)
    fourth = factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site)
    take_over = partial(adjudications.take_over, scene.series, reason="on sick leave")
    adjudications.begin(scene.series, by=scene.third)
    row = take_over(by=fourth)
    back = partial(take_over, by=scene.third)
    assert refusal(back) == "taken-over-from-you"
    row.refresh_from_db()
    assert row.state == "begun"
    with framed():
        Adjudication.objects.filter(pk=row.pk).update(begun_at=row.begun_at - timedelta(days=7))
    assert back().adjudicator == scene.third


def test_who_signed_a_read_that_ended_is_not_one_of_the_readers_for_it(scene):
    read_as(scene, scene.third, lesion=True)
    with framed():
        read_results.end([scene.run.series_id])
    late = reads.open_read(scene.series, by=scene.third)
    reads.decide(only(late), by=scene.third, decision="accepted", region="liver")
    read_as(scene, scene.first, lesion=True)
    read_as(scene, scene.second, lesion=True)
    sign = partial(reads.sign, late, by=scene.third, password=PASSWORD)
    assert refusal(sign) == "read-enough"


def test_a_reader_of_the_series_takes_nothing_over(scene):
    differ(scene)
    adjudications.begin(scene.series, by=scene.third)
    take_over = partial(adjudications.take_over, scene.series, by=scene.first, reason="on leave")
    assert refusal(take_over) == "not-the-adjudicator"
