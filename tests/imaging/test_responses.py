"""Response on record: from signed reads, frozen, judged again, superseded, ended.

Expected by hand. SUV of the hot block at baseline is 13.817 g/mL (tests/imaging/test_reads.py); the
later scan holds 13 990 of 20 000 there: -30.05 %. Lean body mass after Janmahasatian of a woman of
70 kg and 170 cm: 9270 * 70 / (8780 + 244 * 70 / 1.7^2) = 44.173 kg.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from imaging.models import (
    Adjudication,
    GrownLesion,
    LesionComparison,
    LesionPair,
    LesionRead,
    MeasuredRegion,
    Quantification,
    Read,
    ResponseEvaluation,
)
from imaging.response import judging
from imaging.response.recist_lesions import RecistLesion
from imaging.selectors import adjudications as adjudicating
from imaging.selectors import comparisons as comparing
from imaging.selectors import reads as selecting_reads
from imaging.selectors import responses as selecting
from imaging.services import (
    adjudications,
    comparisons,
    destruction,
    read_counting,
    read_endings,
    reads,
    recist_lesions,
    regions,
    response_answers,
    response_orders,
    responses,
)
from tests import factories, records
from tests.factories import PASSWORD
from tests.imaging import responding
from tests.imaging.reconciling import SHOT
from tests.imaging.responding import BEFORE, SUV, Responding, of, work
from tests.imaging.test_reads import measure_again, refusal
from trials import canonical
from trials.models import (
    AuditEvent,
    CountedRead,
    Injection,
    Job,
    PlannedScan,
    ScheduledScan,
    Site,
    User,
)
from trials.roles import Role
from trials.selectors import counted_reads
from trials.services import evidence, jobs, patients, scans, withdrawals
from trials.services.errors import Invalid

pytestmark = pytest.mark.django_db

LEAN = 9270 * 70 / (8780 + 244 * 70 / 1.7**2) / 70
SUL = SUV * LEAN


@pytest.fixture(scope="module")
def arranged(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[Responding]:
    """Two measured scans for all tests; what each adds is rolled back behind it."""
    folder = override_settings(STORAGE=tmp_path_factory.mktemp("storage"))
    with django_db_blocker.unblock(), folder, transaction.atomic():
        site = factories.make_site(factories.make_fdg_trial())
        yield responding.make_responding(site, by=records.everyone(site.trial))
        transaction.set_rollback(True)


@pytest.fixture
def scene(arranged, db) -> Responding:
    return arranged


@pytest.fixture
def judged(scene) -> Responding:
    """Both scans read and signed, and evaluated."""
    scene.place_livers()
    scene.signed_baseline()
    scene.signed_later()
    work()
    return scene


def signed_comparison(scene: Responding) -> LesionComparison:
    """Of the reader's two reads, as it is proposed."""
    first, second = Read.objects.filter(reader=scene.reader).order_by("pk")
    comparison = comparisons.propose(first, second, by=scene.reader)
    numbers = [one.number for one in comparing.pairs_of(comparison)]
    comparisons.confirm(comparison, numbers, by=scene.reader)
    comparisons.sign(comparison, by=scene.reader, password=PASSWORD)
    return comparison


def standing_rules():
    return ResponseEvaluation.objects.filter(is_current=True).values_list("rule", flat=True)


def number(evaluation: ResponseEvaluation, name: str) -> float:
    return next(one["value"] for one in evaluation.numbers if one["name"] == name)


def test_percist_is_judged_on_sul_by_the_lean_mass_that_the_protocol_names(judged):
    found = of("P")
    assert found.category == "PMR"
    assert number(found, "SULpeak at baseline") == pytest.approx(SUL, rel=1e-5)
    assert number(found, "SULpeak later") == pytest.approx(SUL * 13_990 / BEFORE, rel=1e-5)
    assert number(found, "Change of SULpeak") == pytest.approx(-30.05, abs=1e-3)
    # 2 blocks of 64 voxels of 0.048 mL; total lesion glycolysis is SULmean times volume.
    assert number(found, "Total lesion glycolysis at baseline") == pytest.approx(
        SUL * 128 * 0.048, rel=1e-5
    )
    # The sphere of these small images is no liver of PERCIST.
    assert found.flags == ["liver-not-in-30-mm-sphere"]
    assert found.why.startswith("PERCIST 1.0 PMR: SULpeak went from 8.7 to 6.1 g/mL (-30.05 %)")


@pytest.mark.parametrize(
    ("radii", "is_other"), [((15.0, 15.5), False), ((15.0, 8.0), True), ((20.0, 15.0), True)]
)
def test_a_liver_of_another_size_is_told_of_percist_alone(judged, radii, is_other):
    for rule, is_told in (("P", is_other), ("Q", False)):
        inputs = deepcopy(of(rule).inputs)
        for side, radius in zip(("baseline", "later"), radii, strict=True):
            if inputs[side]:
                inputs[side]["liver"]["radius_mm"] = radius
        assert ("liver-not-in-30-mm-sphere" in judging.judged(inputs).flags) == is_told


def test_lugano_is_the_reader_s_score_and_qpet_the_four_hottest_voxels_over_the_liver(judged):
    assert of("L").category == "PMR"
    found = of("Q")
    # The block is even: 13 990 over the 1 000 of the background.
    assert (found.category, number(found, "qPET")) == ("5", pytest.approx(13.99, rel=1e-5))


def test_eortc_waits_for_a_signed_comparison_and_follows_it(judged):
    assert of("E").category == "NE"
    assert "no signed comparison of the two scans" in of("E").why
    signed_comparison(judged)
    work()
    found = of("E")
    # Over 25 % less after two cycles.
    assert (found.category, number(found, "Change of SUV")) == ("PMR", pytest.approx(-30.05, 1e-4))
    assert found.supersedes.category == "NE"
    # The others rest on what did not change.
    assert ResponseEvaluation.objects.filter(rule="P").count() == 1


def test_eortc_follows_the_hottest_part_of_a_lesion_that_split(judged):
    """Named by the larger part; the other is hotter than the baseline: 27 634 over 20 000."""
    (pair,) = comparing.pairs_of(signed_comparison(judged))
    outlined = pair.second.measured
    same = {one.name: getattr(outlined, one.name) for one in MeasuredRegion._meta.get_fields()}
    with factories.framed():
        part = GrownLesion.objects.create(
            **same | {"suvmax": SUV * 27_634 / BEFORE},
            read=pair.second.read,
            clicked_voxel=[2, 10, 10],
            clicked_mm=[0.0, 0.0, 0.0],
            parameters={"method": "fixed"},
            threshold=4.0,
            holds_hotter=False,
        )
        LesionRead.objects.create(
            read=pair.second.read, number=9, grown=part, decision=LesionRead.Decision.ACCEPTED
        )
        LesionPair.objects.filter(pk=pair.pk).update(second_parts=[9])
    work()
    assert (of("E").category, of("E").inputs["pair"]["later"]) == ("PMD", 9)
    assert number(of("E"), "Change of SUV") == pytest.approx(38.17, abs=1e-3)


def test_a_lesion_outside_the_later_scan_is_no_complete_response(judged):
    (pair,) = comparing.pairs_of(signed_comparison(judged))
    work()
    answers = {**responding.CALM, "indistinguishable": "yes"}
    later = of("E").inputs["later"] | {"answers": answers}
    unseen = {**of("E").inputs["pair"], "later": None}
    gone, outside = (
        judging.judged(of("E").inputs | {"later": later, "pair": {**unseen, "outcome": outcome}})
        for outcome in ("first-only", "not-covered")
    )
    assert gone.category == "CMR"
    assert (outside.category, "lies outside the later scan" in outside.why) == ("NE", True)
    assert of("E").inputs["pair"]["outcome"] == pair.outcome


def test_what_is_frozen_gives_the_same_answer_again_and_the_trail_tells_by_whom(judged):
    for row in ResponseEvaluation.objects.all():
        again = judging.judged(row.inputs)
        assert (again.category, again.why) == (row.category, row.why)
        assert canonical.sha256(row.inputs) == row.inputs_sha256
    event = AuditEvent.objects.filter(table="imaging_responseevaluation", operation="I").first()
    assert (event.action, event.actor_name) == ("response.evaluated", "System")


def test_the_same_reads_are_evaluated_once(judged):
    before = list(ResponseEvaluation.objects.values_list("pk", flat=True))
    with factories.framed():
        response_orders.order(judged.later.series.imaging_study.scheduled_scan, by=judged.reader)
    work()
    assert list(ResponseEvaluation.objects.values_list("pk", flat=True)) == before


def test_without_a_read_of_the_baseline_nothing_is_compared(scene):
    scene.place_livers()
    scene.signed_later()
    work()
    assert set(ResponseEvaluation.objects.values_list("rule", flat=True)) == {"L", "Q"}
    scene.signed_baseline()
    work()
    assert of("P").category == "PMR"


def test_a_liver_that_no_reader_stands_for_is_no_liver_and_one_that_comes_is_judged(scene):
    scene.signed_baseline()
    scene.signed_later()
    work()
    assert of("P").category == "NE"
    assert "the mean SUL of the liver is missing" in of("P").why
    scene.place_livers()
    work()
    assert (of("P").category, of("P").supersedes.category) == ("PMR", "NE")


def test_a_region_of_another_reader_changes_no_response_of_a_read_that_is_signed(scene):
    other = factories.make_user(Role.READER, trial=scene.trial, site=scene.patient.site)
    scene.signed_baseline()
    scene.signed_later()
    # What its own reader places where there was none is judged, and then stays.
    for by, category in ((other, "NE"), (scene.reader, "PMR"), (other, "PMR")):
        for run in (scene.baseline, scene.later):
            responding.place_liver(run, by=by)
        work()
        first = of_reader(scene.reader, "P")
        assert first.category == category
    assert first.supersedes.category == "NE"
    scene.signed(scene.baseline, by=other, liver_diseased="no")
    scene.signed(scene.later, by=other, **responding.CALM)
    work()
    liver = of_reader(other, "P").inputs["later"]["liver"]
    assert liver["pk"] != of_reader(scene.reader, "P").inputs["later"]["liver"]["pk"]
    for run in (scene.baseline, scene.later):
        responding.place_liver(run, by=scene.reader)
    work()
    # It was in force when the read was signed.
    assert of_reader(other, "P").inputs["later"]["liver"] == liver


def test_the_blood_pool_that_a_reader_places_stands_for_a_diseased_liver(scene):
    scene.place_livers()
    scene.signed_baseline()
    scene.signed_later(liver_diseased="yes")
    work()
    assert (of("P").category, of("P").inputs["later"]["blood_pool"]) == ("NE", None)
    for run in (scene.baseline, scene.later):
        there = {"centre_mm": (12.0, 12.0, 15.0), "radius_mm": 7.0}
        regions.place(run, kind="blood_pool", by=scene.reader, **there)
    work()
    found = of("P")
    assert (found.category, found.supersedes.category) == ("PMR", "NE")
    # The sphere of the liver is not that of PERCIST, and nothing rests on it.
    assert found.flags == ["compared-by-blood-pool"]
    assert found.inputs["later"]["blood_pool"]["radius_mm"] == 7.0


@pytest.mark.parametrize(
    ("answer", "category", "says"),
    [
        ({"new_lesion": ""}, "NE", "nobody says whether there is a new lesion"),
        ({"new_lesion": "yes"}, "PMD", "a new lesion"),
        ({"risen_elsewhere": "yes"}, "SMD", "another lesion rose by more than 30 %"),
        ({"liver_diseased": "yes"}, "NE", "the mean SUL of the blood pool, by which"),
    ],
)
def test_what_the_reader_answers_decides_and_what_is_not_answered_is_not_guessed(
    scene, answer, category, says
):
    scene.place_livers()
    scene.signed_baseline()
    scene.signed_later(**answer)
    work()
    assert (of("P").category, says in of("P").why) == (category, True)


@pytest.mark.parametrize(
    ("glucose", "category"),
    [("<11.1", "PMR"), (11.2, "NE"), (">9", "NE"), (None, "NE")],
)
def test_the_newest_glucose_of_the_scan_decides_where_it_can(judged, glucose, category):
    """11.1 mmol/L are 199.97 mg/dL and 11.2 are 201.77; over 9 may be either."""
    scan = judged.later.series.imaging_study.scheduled_scan
    by = records.everyone(judged.trial)
    responding.note_glucose(scan, glucose, by=by)
    with factories.framed():
        assert len(response_orders.order_due()) == 1
    work()
    assert of("P").category == category
    assert ("glucose" in of("P").why) == (category == "NE")


def test_what_an_earlier_release_froze_is_shown_and_judged_by_the_gates_of_today(judged):
    old = of("P")
    froze = {"activity_mbq", "activity_from", "glucose"}
    sides = {
        name: {key: value for key, value in old.inputs[name].items() if key not in froze}
        | {"injected_activity_bq": 370e6}
        for name in ("baseline", "later")
    }
    inputs = {**old.inputs, **sides}
    assert judging.activity_mbq(inputs["later"]) == 370.0
    assert "plasma glucose before the later scan is not recorded" in judging.judged(inputs).why
    with factories.framed():
        ResponseEvaluation.objects.filter(pk=old.pk).update(inputs=inputs, inputs_sha256="older")
        assert len(response_orders.order_due()) == 1
        assert response_orders.order_due() == []
    work()
    assert (of("P").supersedes, of("P").category) == (old, "PMR")
    assert response_orders.order_due() == []


def test_activities_of_the_day_of_the_scan_that_differ_are_not_comparable(scene):
    """460 over 370 MBq is 24.3 % more."""
    scan = scene.later.series.imaging_study.scheduled_scan
    with factories.framed():
        Injection.objects.filter(scheduled_scan=scan).update(net_activity_mbq=460.0)
    scene.place_livers()
    scene.signed_baseline()
    scene.signed_later()
    work()
    assert of("P").category == "NE"
    assert "differ by 24.3 % (370.0 and 460.0 MBq), more than 20 %" in of("P").why


def test_a_read_in_place_of_another_ends_what_rests_on_it_at_once(judged):
    old = of("P")
    judged.signed_later(new_lesion="yes")
    old.refresh_from_db()
    assert not old.is_current
    assert old.ended_because == "A reader signed another read in place of one that it rests on."
    work()
    assert (of("P").category, of("P").supersedes) == ("PMD", old)


def test_a_new_measurement_ends_every_response_and_says_why(judged):
    measure_again(judged.baseline)
    assert not ResponseEvaluation.objects.filter(rule__in=["P", "E"], is_current=True).exists()
    ended = ResponseEvaluation.objects.filter(rule="P").get()
    assert "it is to be read again" in ended.ended_because
    assert ended.ended_at is not None
    # What is compared with no baseline holds on, and what is left is asked once more.
    assert set(standing_rules()) == {"L", "Q"}
    assert Job.objects.filter(kind="imaging.evaluate_response", state="queued").count() == 1
    work()
    assert set(standing_rules()) == {"L", "Q"}


def test_two_readers_are_judged_apart(judged):
    other = factories.make_user(Role.READER, trial=judged.trial, site=judged.patient.site)
    judged.signed(judged.baseline, by=other, liver_diseased="no")
    judged.signed(judged.later, by=other, **(responding.CALM | {"new_lesion": "yes"}))
    work()
    standing = ResponseEvaluation.objects.filter(rule="P", is_current=True)
    assert dict(standing.values_list("reader", "category")) == {
        judged.reader.pk: "PMR",
        other.pk: "PMD",
    }


def test_a_height_that_comes_later_orders_it_anew_once(judged):
    by = records.everyone(judged.trial)
    assert response_orders.order_due() == []
    evidence.record(
        judged.patient,
        variable="height",
        value=168,
        unit="cm",
        observed_at="2026-03-01",
        is_study_specific=False,
        source="record",
        by=by,
    )
    with factories.framed():
        assert len(response_orders.order_due()) == 1
        assert response_orders.order_due() == []
    work()
    # The height of the day of the scan stands before it: the answer is the same.
    assert (of("P").supersedes, response_orders.stale().count()) == (None, 0)


def test_a_corrected_sex_orders_it_anew_and_changes_the_lean_mass(judged):
    """Of a man of 70 kg and 170 cm: 9270 * 70 / (6680 + 216 * 70 / 1.7^2) = 54.471 kg."""
    patients.correct(
        judged.patient,
        sex_at_birth="M",
        birth=judged.patient.birth,
        reason="misread",
        by=records.everyone(judged.trial),
    )
    with factories.framed():
        assert len(response_orders.order_due()) == 1
    work()
    lean = 9270 * 70 / (6680 + 216 * 70 / 1.7**2) / 70
    assert number(of("P"), "SULpeak at baseline") == pytest.approx(SUV * lean, rel=1e-5)
    assert response_orders.stale().count() == 0


def test_a_job_that_a_newer_one_overtook_keeps_nothing(scene):
    """Claimed first, it may have read what held before the newer was ordered."""
    scene.place_livers()
    scene.signed_baseline()
    scene.signed_later()
    *_, older, newer = Job.objects.filter(kind="imaging.evaluate_response").order_by("pk")
    responses.evaluate(jobs.claim(older.pk))
    older.refresh_from_db()
    assert (older.state, ResponseEvaluation.objects.count()) == (Job.State.DONE, 0)
    before = timezone.now()
    responses.evaluate(jobs.claim(newer.pk))
    assert before < of("P").evaluated_at < timezone.now()


def test_pentixafor_is_judged_with_a_flag(scene):
    inputs = {
        "rule": {"criterion": "lugano"},
        "tracer": "[68Ga]Ga-Pentixafor",
        "baseline": None,
        "later": {"answers": responding.CALM},
    }
    found = judging.judged(inputs)
    assert (found.category, found.flags) == ("PMR", ("scale-made-for-fdg",))


def test_only_what_a_scale_asks_is_answered_and_in_a_draft_alone(scene):
    scan = scene.baseline.series.imaging_study.scheduled_scan
    assert [one.code for one in response_answers.asked_of(scan)] == ["liver_diseased"]
    read = reads.open_read(scene.baseline.series, by=scene.reader)
    with pytest.raises(Invalid, match="No scale"):
        response_answers.say(read, {"deauville": "4"}, by=scene.reader)
    with pytest.raises(Invalid, match="Choose one of"):
        response_answers.say(read, {"liver_diseased": "perhaps"}, by=scene.reader)
    signed = scene.signed_baseline()
    assert refusal(lambda: response_answers.say(signed, {}, by=scene.reader)) == "read-signed"
    other = factories.make_user(Role.READER, trial=scene.trial, site=scene.patient.site)
    assert refusal(lambda: response_answers.say(signed, {}, by=other)) == "not-your-read"


def test_answers_of_a_draft_are_taken_over_when_the_series_is_measured_again(scene):
    draft = reads.open_read(scene.later.series, by=scene.reader)
    response_answers.say(draft, responding.CALM, by=scene.reader)
    measure_again(scene.later)
    read = reads.open_read(scene.later.series, by=scene.reader)
    assert read != draft
    assert response_answers.of(read) == response_answers.of(draft) == responding.CALM


def test_answers_are_signed_with_the_read(scene):
    read = scene.signed_later()
    assert reads.content_of(read)["response"]["deauville"] == "4"
    assert reads.is_as_signed(read)


def test_a_trial_without_rules_orders_nothing():
    site = factories.make_site(factories.make_fdg_trial())
    by = records.everyone(site.trial)
    scan = factories.make_scan(factories.make_enrolled(site, by=by), by=by)
    assert response_orders.order(scan, by=by) is None
    assert not Job.objects.filter(kind="imaging.evaluate_response").exists()


def recist_of(scene: Responding) -> Responding:
    """The same scans judged by RECIST alone."""
    rule = {"criterion": "recist", "confirmation_days": 28, "stable_days": 42}
    version = scene.patient.site.version_in_force
    with factories.framed():
        version.definition["response"] = [{"identifier": "R", **rule, **responding.SCANS}]
        version.save()
    runs = (Quantification.objects.get(pk=one.pk) for one in (scene.baseline, scene.later))
    return Responding(*runs, scene.reader)


def scan_between(scene: Responding, planned_at: datetime) -> ScheduledScan:
    """One more scan that the rule judges, which nobody read."""
    version = scene.patient.site.version_in_force
    with factories.framed():
        like = PlannedScan.objects.get(version=version, identifier="scan_later")
        early = PlannedScan.objects.create(
            version=version,
            identifier="scan_early",
            tracer=like.tracer,
            label="FDG PET/CT after one cycle",
            segmentation=like.segmentation,
        )
        version.definition["response"][0]["follow_ups"] = ["scan_early", "scan_later"]
        version.save()
    by = records.everyone(scene.trial)
    return scans.schedule(scene.patient, planned_scan=early, planned_at=planned_at, by=by)


def measured_on_ct(scene: Responding, run: Quantification, mm: float, where="liver") -> Read:
    """The reader's draft with one target."""
    read = reads.open_read(run.series, by=scene.reader, reason="once more")
    recist_lesions.record(read, [RecistLesion("T1", where, "measured", mm)], by=scene.reader)
    return read


def test_a_list_that_the_baseline_left_behind_is_neither_signed_nor_judged(scene):
    scene = recist_of(scene)
    measured_on_ct(scene, scene.baseline, 50.0)
    scene.signed(scene.baseline)
    measured_on_ct(scene, scene.later, 20.0)
    scene.signed(scene.later, new_lesion_ct="no")
    work()
    assert of("R").category == "PR"
    draft = measured_on_ct(scene, scene.later, 20.0)
    measured_on_ct(scene, scene.baseline, 50.0, where="lung_right")
    scene.signed(scene.baseline)
    work()
    assert of("R").category == "NE"
    assert "not those of its baseline: T1" in of("R").why
    assert reads.obstacles(draft)[-1] == "T1 lay in lung_right at baseline, got liver."


def test_a_follow_up_that_nobody_read_is_missed_by_name_until_it_is_cancelled(scene):
    scene = recist_of(scene)
    measured_on_ct(scene, scene.baseline, 50.0)
    scene.signed(scene.baseline)
    between = scan_between(scene, SHOT + timedelta(days=21))
    measured_on_ct(scene, scene.later, 33.0)
    scene.signed(scene.later, new_lesion_ct="no")
    work()
    assert (of("R").category, of("R").inputs["unread"]) == ("NE", ["scan_early"])
    assert response_orders.order_due() == []
    scans.cancel(between, reason="scanner broken", by=records.everyone(scene.trial))
    with factories.framed():
        assert len(response_orders.order_due()) == 1
        assert response_orders.order_due() == []
    work()
    assert response_orders.order_due() == []
    assert (of("R").category, of("R").flags) == ("PR", [])


def test_a_missed_scan_that_is_cancelled_asks_nothing_of_images_that_are_gone(
    scene, settings, tmp_path
):
    # What is destroyed here comes back with the rows, and would not with the files of the others.
    settings.STORAGE = shutil.copytree(settings.STORAGE, tmp_path / "own")
    scene = recist_of(scene)
    measured_on_ct(scene, scene.baseline, 50.0)
    scene.signed(scene.baseline)
    between = scan_between(scene, SHOT + timedelta(days=21))
    measured_on_ct(scene, scene.later, 33.0)
    scene.signed(scene.later, new_lesion_ct="no")
    work()
    everyone = records.everyone(scene.trial)
    scans.cancel(between, reason="scanner broken", by=everyone)
    withdrawals.record(
        scene.patient,
        extent="destroy",
        initiative="patient",
        withdrawn_at=timezone.localdate().isoformat(),
        text="no more",
        by=everyone,
    )
    (job,) = destruction.order_due()
    jobs.run(job.pk)
    assert Job.objects.get(pk=job.pk).state == "done"
    assert response_orders.order_due() == []


def test_a_read_in_between_that_ends_ends_the_course_that_rests_on_it(scene):
    scene = recist_of(scene)
    measured_on_ct(scene, scene.baseline, 50.0)
    scene.signed(scene.baseline)
    between = scan_between(scene, SHOT + timedelta(days=21))
    early = records.make_measured(
        between, by=records.everyone(scene.trial), blocks=responding.HOT, stored=responding.BEFORE
    )
    measured_on_ct(scene, early, 20.0)
    scene.signed(early, new_lesion_ct="no")
    measured_on_ct(scene, scene.later, 33.0)
    scene.signed(scene.later, new_lesion_ct="no")
    work()
    course = on_scan(scene.later)
    # 33 mm are 65 % over the lowest sum of 20 mm.
    assert course.category == "PD"
    measured_on_ct(scene, early, 40.0)
    scene.signed(early, new_lesion_ct="no")
    course.refresh_from_db()
    assert (course.is_current, course.ended_because) == (False, read_endings.READ_AGAIN)
    work()
    # From 50 to 33 mm is 34 % less.
    assert on_scan(scene.later).category == "PR"
    measure_again(early)
    assert not standing_on(scene.later).exists()
    work()
    assert on_scan(scene.later).inputs["unread"] == ["scan_early"]


def standing_on(run: Quantification):
    return ResponseEvaluation.objects.filter(later_read__quantification=run, is_current=True)


def on_scan(run: Quantification) -> ResponseEvaluation:
    return standing_on(run).get()


def test_days_after_the_baseline_are_dates_of_the_site(scene):
    """In Berlin 2026-01-01 14:00 to 2026-01-29 00:30, which is 28 January in UTC, is 28 days."""
    scene = recist_of(scene)
    with factories.framed():
        Site.objects.filter(pk=scene.patient.site_id).update(time_zone="Europe/Berlin")
        for run, at in (
            (scene.baseline, datetime(2026, 1, 1, 13, tzinfo=UTC)),
            (scene.later, datetime(2026, 1, 28, 23, 30, tzinfo=UTC)),
        ):
            found = ScheduledScan.objects.filter(imaging_studies__series__quantifications=run)
            found.update(planned_at=at)
    scene = recist_of(scene)
    measured_on_ct(scene, scene.baseline, 50.0)
    scene.signed(scene.baseline)
    measured_on_ct(scene, scene.later, 33.0)
    scene.signed(scene.later, new_lesion_ct="no")
    work()
    assert of("R").inputs["later"]["day"] == 28


def test_an_adjudicator_follows_the_lesions_of_the_baseline_read_that_counts(scene):
    version = scene.patient.site.version_in_force
    with factories.framed():
        version.definition["reads"] = {
            "readers": 2,
            "blinded_to": ["other-readers"],
            "adjudication": "third-reader",
            "discordant": ["response"],
        }
        version.save()
    scene = recist_of(scene)
    site = scene.patient.site
    other, third = (factories.make_user(Role.READER, trial=scene.trial, site=site) for _ in "23")
    firsts = {}
    for by, where, later_mm in ((scene.reader, "liver", 33.0), (other, "lung_right", 61.0)):
        one = Responding(scene.baseline, scene.later, by)
        measured_on_ct(one, one.baseline, 50.0, where)
        firsts[by] = one.signed(one.baseline)
        measured_on_ct(one, one.later, later_mm, where)
        one.signed(one.later, new_lesion_ct="no")
    work()
    adjudications.begin(scene.later.series, by=third)
    settling = Responding(scene.baseline, scene.later, third)
    baseline = scene.baseline.series.imaging_study.scheduled_scan
    counted = CountedRead.objects.filter(scheduled_scan=baseline, ended_at=None)
    with factories.framed():
        counted.update(ended_at=timezone.now())
    refused = partial(measured_on_ct, settling, scene.later, 33.0)
    assert refusal(refused) == "no-baseline-counts"
    with factories.framed():
        read_counting.settle(baseline)
    with pytest.raises(Invalid, match="T1 lay in liver at baseline, got lung_right"):
        measured_on_ct(settling, scene.later, 33.0, where="lung_right")
    measured_on_ct(settling, scene.later, 33.0)
    signed = settling.signed(scene.later, new_lesion_ct="no")
    work()
    (found,) = ResponseEvaluation.objects.filter(later_read=signed, is_current=True)
    assert (found.category, found.baseline_read) == ("PR", firsts[scene.reader])
    # The readers differ in the response: neither counts, and the page and the API say why.
    statistician = factories.make_user(Role.STATISTICIAN, trial=scene.trial)
    (one,) = selecting.evaluations(statistician).filter(later_read=signed)
    assert (one.is_accepted, one.why_counted) == (
        False,
        "Two readers differ, awaiting adjudication by a third reader.",
    )


def two_readers(scene: Responding, *asked: str) -> tuple[Responding, User, User]:
    """Another reader and a third; the protocol asks for two, who may differ in what is named."""
    version = scene.patient.site.version_in_force
    with factories.framed():
        version.definition["reads"] = {
            "readers": 2,
            "blinded_to": ["other-readers"],
            "adjudication": "third-reader",
            "discordant": list(asked),
        }
        version.save()
    site = scene.patient.site
    other, third = (factories.make_user(Role.READER, trial=scene.trial, site=site) for _ in "23")
    # Asked anew, with the protocol as it is stated now.
    runs = (Quantification.objects.get(pk=run.pk) for run in (scene.baseline, scene.later))
    return Responding(*runs, scene.reader), other, third


def signed_in(run: Quantification, region: str, *, by: User, **answers: str) -> Read:
    """A read that calls the hot block a lesion of a region, and answers."""
    read = reads.open_read(run.series, by=by, reason="once more")
    for row in selecting_reads.rows_of(read):
        reads.decide(row, by=by, decision="accepted", region=region, positivity="positive")
    if answers:
        response_answers.say(read, answers, by=by)
    reads.sign(read, by=by, password=PASSWORD)
    return Read.objects.get(pk=read.pk)


def test_an_adjudicator_s_answer_ends_where_no_read_of_the_baseline_counts(scene):
    """By every scale that compares with a baseline: PERCIST here."""
    scene, other, third = two_readers(scene, "region")
    scene.place_livers()
    for by in (scene.reader, other):
        signed_in(scene.baseline, "liver", by=by, liver_diseased="no")
    for by, region in ((scene.reader, "liver"), (other, "spleen")):
        signed_in(scene.later, region, by=by, **responding.CALM)
    adjudications.begin(scene.later.series, by=third)
    settling = signed_in(scene.later, "stomach", by=third, **responding.CALM)
    work()
    mine = ResponseEvaluation.objects.filter(later_read=settling)
    assert set(mine.filter(is_current=True).values_list("rule", flat=True)) == {*"PELQ"}
    baseline = scene.baseline.series.imaging_study.scheduled_scan
    with factories.framed():
        CountedRead.objects.filter(scheduled_scan=baseline, ended_at=None).update(
            ended_at=timezone.now()
        )
        response_orders.order(baseline, by=scene.reader)
    work()
    assert set(mine.filter(is_current=True).values_list("rule", flat=True)) == {"L", "Q"}
    assert mine.get(rule="P").ended_because == responses.NO_BASELINE_COUNTS


def test_an_adjudication_that_is_void_has_later_scans_settled_anew(scene):
    """Who settled the baseline by a read of their own reads the later scan as one of two."""
    scene, other, third = two_readers(scene, "region", "response")
    scene.place_livers()
    for by, region in ((scene.reader, "liver"), (other, "spleen")):
        signed_in(scene.baseline, region, by=by, liver_diseased="no")
    row = adjudications.begin(scene.baseline.series, by=third)
    signed_in(scene.baseline, "stomach", by=third, liver_diseased="no")
    adjudications.sign(
        row, by=third, choice=adjudications.ANEW, reason="in the bone", password=PASSWORD
    )
    for by in (scene.reader, third):
        signed_in(scene.later, "liver", by=by, **responding.CALM)
    work()
    later = scene.later.series.imaging_study.scheduled_scan
    assert counted_reads.of_scan(later).basis == "agreed"
    signed_in(scene.baseline, "liver", by=other, liver_diseased="no")
    row.refresh_from_db()
    assert row.state == "void"
    assert counted_reads.of_scan(later).basis == "awaiting-response"


def differing_by_response(scene: Responding) -> tuple[Responding, User]:
    """PMR by one reader and a new lesion by the other, and who settles it."""
    scene, other, third = two_readers(scene, "response")
    scene.place_livers()
    for by, new_lesion in ((scene.reader, "no"), (other, "yes")):
        scene.signed(scene.baseline, by=by, liver_diseased="no")
        scene.signed(scene.later, by=by, **responding.CALM | {"new_lesion": new_lesion})
    work()
    return scene, third


def corrected_glucose(scene: Responding, value: float) -> None:
    """11.2 mmol/L are too much for PERCIST."""
    scan = scene.later.series.imaging_study.scheduled_scan
    responding.note_glucose(scan, value, by=records.everyone(scene.trial))
    with factories.framed():
        response_orders.order_due()
    work()


def test_an_adjudication_of_responses_that_are_others_now_is_void_and_asked_again(scene):
    scene, third = differing_by_response(scene)
    row = adjudications.begin(scene.later.series, by=third)
    letter = next(one.letter for one in adjudicating.sides(row) if one.read.reader == scene.reader)
    adjudications.sign(row, by=third, choice=letter, reason="none is new", password=PASSWORD)
    work()
    first = of_reader(scene.reader, "P")
    corrected_glucose(scene, 5.6)
    # Another answer of the same category is nothing that they would be compared by.
    assert of_reader(scene.reader, "P").supersedes == first
    assert state_of(row) == ("signed", "")
    corrected_glucose(scene, 11.2)
    assert of_reader(scene.reader, "P").category == "NE"
    assert state_of(row) == ("void", read_counting.RESPONSE_CHANGED)
    # By EORTC and Lugano, where a new lesion is progression by itself, they differ still.
    assert counted_reads.of_scan(row.scheduled_scan).basis == "awaiting-adjudication"
    again = adjudications.begin(scene.later.series, by=third)
    told = [one.question for pair in adjudicating.differing(again) for one in pair.differences]
    assert told == ["Response by EORTC 1999", "Response by Lugano 2014"]
    # What may have rested on it is looked at once more, and that comes to an end.
    for waiting in (1, 0):
        queued = Job.objects.filter(kind=response_orders.KIND, state="queued")
        assert queued.count() == waiting
        work()
    assert state_of(again) == ("begun", "")


def test_an_adjudicator_s_own_response_voids_nothing_and_ends_with_what_is_void(scene):
    scene, third = differing_by_response(scene)
    row = adjudications.begin(scene.later.series, by=third)
    own = scene.signed(scene.later, by=third, **responding.CALM)
    adjudications.sign(
        row, by=third, choice=adjudications.ANEW, reason="none is new", password=PASSWORD
    )
    work()
    with factories.framed():
        # As if judged otherwise before.
        stale = ResponseEvaluation.objects.filter(pk=of_reader(third, "P").pk)
        stale.update(category="NE", inputs_sha256="older")
        response_orders.order(row.scheduled_scan, by=third)
    work()
    assert of_reader(third, "P").category == "PMR"
    assert state_of(row) == ("signed", "")
    corrected_glucose(scene, 11.2)
    own.refresh_from_db()
    assert (state_of(row)[0], own.ended_because) == ("void", read_counting.RESPONSE_CHANGED)
    assert not ResponseEvaluation.objects.filter(later_read=own, is_current=True).exists()


def state_of(row: Adjudication) -> tuple[str, str]:
    row.refresh_from_db()
    return row.state, row.void_because


def of_reader(reader: User, rule: str) -> ResponseEvaluation:
    return ResponseEvaluation.objects.get(reader=reader, rule=rule, is_current=True)


def test_scans_that_are_missed_are_looked_up_together(scene, django_assert_num_queries):
    scene = recist_of(scene)
    other = factories.make_user(Role.READER, trial=scene.trial, site=scene.patient.site)
    scan_between(scene, SHOT + timedelta(days=21))
    for by in (scene.reader, other):
        one = Responding(scene.baseline, scene.later, by)
        measured_on_ct(one, one.baseline, 50.0)
        one.signed(one.baseline)
        measured_on_ct(one, one.later, 33.0)
        one.signed(one.later, new_lesion_ct="no")
        work()
        with django_assert_num_queries(5):
            assert response_orders.order_due() == []


def test_reads_do_not_agree_before_the_response_of_each_is_evaluated(scene):
    version = scene.patient.site.version_in_force
    with factories.framed():
        version.definition["reads"] = {
            "readers": 2,
            "blinded_to": ["other-readers"],
            "adjudication": "third-reader",
            "discordant": ["response"],
        }
        version.save()
    scene = recist_of(scene)
    other = factories.make_user(Role.READER, trial=scene.trial, site=scene.patient.site)
    second = Responding(scene.baseline, scene.later, other)
    scan = scene.later.series.imaging_study.scheduled_scan
    for one in (scene, second):
        measured_on_ct(one, one.baseline, 50.0)
        one.signed(one.baseline)
        measured_on_ct(one, one.later, 33.0)
        one.signed(one.later, new_lesion_ct="no")
    assert counted_reads.of_scan(scan).basis == "awaiting-response"
    assert "response by RECIST 1.1 is" in counted_reads.of_scan(scan).why
    work()
    assert counted_reads.of_scan(scan).basis == "agreed"
