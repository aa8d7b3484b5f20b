"""Data reviews of analysis populations: blind, signed, frozen, and overtaken by name."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import DatabaseError, connection, connections, transaction

from imaging.models import Read
from reporting import csvtext
from reporting.datasets.populations import POPULATIONS
from reporting.flow import flow
from reporting.models import PopulationMember, PopulationReview
from reporting.selectors import population_rows
from reporting.selectors import populations as selectors
from reporting.services import populations as services
from tests import factories
from tests.reporting import cohort
from trials import read_rules
from trials.models import (
    AuditEvent,
    Finding,
    Membership,
    RandomisationListing,
    Signature,
    Unblinding,
)
from trials.populations import Unit
from trials.roles import Role
from trials.services import counted_reads, deviations, scans, withdrawals
from trials.services.errors import Forbidden, Invalid, Refused


@pytest.fixture
def made(db):
    """Two patients who were scanned, measured and read; the first alone has a read that counts."""
    found = cohort.make_cohort(2)
    read = Finding.objects.filter(patient__trial=found.trial).order_by("pk").first()
    count = read_rules.counted({}, signed=[read.source_pk], are_discordant=False)
    with factories.framed():
        counted_reads.keep(read.scheduled_scan, count, source=Read(pk=read.source_pk))
    return found


def reviewed(made: cohort.Cohort, population: str = "EVAL") -> PopulationReview:
    return services.begin(made.trial, population=population, by=made.statistician)


def signed(review: PopulationReview, *, by) -> Signature:
    review.refresh_from_db()
    rules, facts = selectors.rules_of(review.trial), selectors.facts(review.trial)
    return services.sign(
        review,
        inputs_sha256=services.digest_of(facts, rules),
        version=review.version,
        password=factories.PASSWORD,
        by=by,
    )


def rows_of(made: cohort.Cohort, population: str = "EVAL") -> list:
    found = selectors.rows(made.trial)
    return [one for one in found if one.population == population]


def patients_of(made: cohort.Cohort) -> list:
    return list(made.trial.patients.order_by("identifier"))


def test_the_rules_propose_with_their_reasons(made):
    first, second = rows_of(made)
    assert (first.proposed, second.proposed) == (True, False)
    assert "no signed read counts yet" in second.why
    assert first.decided is None


def test_the_flow_is_made_of_the_same_rows(made):
    boxes = {one.population: one for one in flow(selectors.rows(made.trial)).boxes}
    assert [boxes[name].number for name in ("SCREENED", "ENR", "SAF", "EVAL")] == [2, 2, 2, 1]


@pytest.mark.parametrize("size", [1, 4])
def test_the_rows_of_a_trial_take_nine_queries_however_many_patients(
    size, db, django_assert_num_queries
):
    made = cohort.make_cohort(size)
    signed(reviewed(made), by=made.statistician)
    with django_assert_num_queries(9):
        assert len(selectors.rows(made.trial)) == 9 * size


def test_the_rows_of_an_export_are_those_of_the_pages_whoever_reads_them_patient_by_patient(made):
    signed(reviewed(made), by=made.statistician)
    lean = selectors.lean_record(made.trial)
    assert list(lean.each_row()) == list(lean.each_row()) == selectors.rows(made.trial)
    assert {one.standing for one in lean.each_row()} == {"", "stands"}


def test_a_review_decides_otherwise_with_a_reason_and_holds_what_was_signed(made):
    second = patients_of(made)[1]
    review = reviewed(made)
    services.decide(
        review,
        Unit(second.pk),
        is_in=True,
        reason="the central read is on paper",
        version=1,
        by=made.statistician,
    )
    signature = signed(review, by=made.statistician)
    row = rows_of(made)[1]
    assert (row.proposed, row.decided, row.is_in) == (False, True, True)
    assert (row.standing, row.signed_by) == ("stands", str(made.statistician))
    assert "the central read is on paper" in row.why
    assert [one["is_in"] for one in signature.content["units"]] == [True, True]
    assert signature.meaning == "population"


def test_an_abandoned_review_decides_nothing_and_another_can_be_opened(made):
    first, second = patients_of(made)
    review = reviewed(made)
    services.decide(
        review, Unit(second.pk), is_in=True, reason="on paper", version=1, by=made.statistician
    )
    services.abandon(review, reason="opened on the wrong population", by=made.statistician)
    review.refresh_from_db()
    assert (review.state, review.abandoned_by, review.abandoned_because) == (
        "abandoned",
        made.statistician,
        "opened on the wrong population",
    )
    assert [one.is_in for one in review.decisions.all()] == [True]
    assert [one.decided for one in rows_of(made)] == [None, None]
    acts = AuditEvent.objects.filter(table="reporting_populationreview", row=str(review.pk))
    assert acts.order_by("-pk").first().action == "population_review.abandoned"
    with pytest.raises(Refused, match="was abandoned"):
        services.decide(
            review, Unit(first.pk), is_in=True, reason="late", version=2, by=made.statistician
        )
    with pytest.raises(Refused, match="was abandoned"):
        services.abandon(review, reason="once more", by=made.statistician)
    again = reviewed(made)
    assert again.decisions.count() == 0
    signed(again, by=made.statistician)
    with pytest.raises(Refused, match="is signed"):
        services.abandon(again, reason="too late", by=made.statistician)


def test_only_who_is_blind_abandons_and_says_why(made):
    review = reviewed(made)
    with pytest.raises(Invalid):
        services.abandon(review, reason=" ", by=made.statistician)
    with pytest.raises(Forbidden):
        services.abandon(review, reason="not mine", by=made.coordinator)
    _was_given_the_list(made)
    with pytest.raises(Refused, match="blind"):
        services.abandon(review, reason="knowing what comes out", by=made.statistician)
    review.refresh_from_db()
    assert review.state == "draft"


def test_a_wrong_password_signs_nothing(made):
    review = reviewed(made)
    facts, rules = selectors.facts(made.trial), selectors.rules_of(made.trial)
    with pytest.raises(Invalid, match="nothing was signed"):
        services.sign(
            review,
            inputs_sha256=services.digest_of(facts, rules),
            version=1,
            password="guess",
            by=made.statistician,
        )
    review.refresh_from_db()
    assert (review.state, review.members.count()) == ("draft", 0)


def test_a_reason_is_asked(made):
    review = reviewed(made)
    unit = Unit(patients_of(made)[0].pk)
    with pytest.raises(Invalid, match="Say why"):
        services.decide(review, unit, is_in=False, reason=" ", version=1, by=made.statistician)


def test_a_patient_of_another_trial_is_no_unit(made):
    other = patients_of(cohort.make_cohort())[0]
    with pytest.raises(Invalid, match="no unit of EVAL"):
        services.decide(
            reviewed(made),
            Unit(other.pk),
            is_in=False,
            reason="by mistake",
            version=1,
            by=made.statistician,
        )


def test_a_population_that_the_trial_has_not_is_not_reviewed(made):
    with pytest.raises(Invalid, match="no population NONE"):
        reviewed(made, "NONE")


def test_one_review_of_a_population_is_open_at_a_time(made):
    reviewed(made)
    with pytest.raises(Refused) as refused:
        reviewed(made)
    assert refused.value.code == "review-open"
    reviewed(made, "SAF")


def test_a_coordinator_does_not_review(made):
    with pytest.raises(Forbidden):
        services.begin(made.trial, population="EVAL", by=made.coordinator)


def test_an_investigator_of_one_site_does_not_review_all_of_them(made):
    one = factories.make_user(Role.INVESTIGATOR, trial=made.trial, site=made.site)
    with pytest.raises(Forbidden):
        services.begin(made.trial, population="EVAL", by=one)


def _was_unblinded_statistician(made):
    with factories.framed():
        Membership.objects.create(
            user=made.statistician,
            trial=made.trial,
            role=Role.UNBLINDED_STATISTICIAN,
            starts_on="2026-01-01",
            ends_on="2026-01-02",
        )


def _was_given_the_list(made):
    with factories.framed():
        RandomisationListing.objects.create(
            trial=made.trial,
            reason="DSMB",
            places=1,
            list_sha256="0" * 64,
            mismatches=0,
            listed_by=made.statistician,
        )


def _unblinded(made):
    with factories.framed():
        Unblinding.objects.create(
            allocation=made.trial.allocations.first(),
            reason="emergency",
            unblinded_by=made.statistician,
        )


@pytest.mark.parametrize("happened", [_was_unblinded_statistician, _was_given_the_list, _unblinded])
def test_who_has_seen_unblinded_data_neither_begins_nor_decides_nor_signs(happened, made):
    review = reviewed(made)
    happened(made)
    unit = Unit(patients_of(made)[0].pk)
    for act in (
        lambda: reviewed(made, "PP"),
        lambda: services.decide(
            review, unit, is_in=False, reason="a reason", version=1, by=made.statistician
        ),
        lambda: signed(review, by=made.statistician),
    ):
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.code == "not-blind"


def test_the_signature_tells_how_many_exports_the_signer_had_taken(made):
    assert signed(reviewed(made), by=made.statistician).content["exports_taken"] == 0


def test_a_record_that_changed_while_one_looked_is_not_signed(made):
    review = reviewed(made)
    before = services.digest_of(selectors.facts(made.trial), selectors.rules_of(made.trial))
    deviations.record(patients_of(made)[0], text="late", by=made.coordinator)
    with pytest.raises(Refused) as refused:
        services.sign(
            review,
            inputs_sha256=before,
            version=1,
            password=factories.PASSWORD,
            by=made.statistician,
        )
    assert refused.value.code == "record-changed"


def _moved(made, patient):
    scan = patient.scheduled_scans.get()
    with factories.framed():
        scan.planned_at += timedelta(days=7)
        scan.save(update_fields=["planned_at"])


def _deviates(made, patient):
    deviations.record(patient, text="late", by=made.coordinator)


def _withdrew(made, patient):
    withdrawals.record(
        patient,
        extent="scans",
        initiative="patient",
        withdrawn_at=made.site.today().isoformat(),
        text="moves abroad",
        by=made.coordinator,
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_moved, "scan scan_ptf was moved"),
        (_deviates, "is new: recorded by a person."),
        (_withdrew, "the withdrawal: was none"),
    ],
)
def test_what_changes_afterwards_overtakes_by_name_and_alters_nothing(change, said, made):
    signed(reviewed(made), by=made.statistician)
    before = list(PopulationMember.objects.order_by("pk").values())
    first = patients_of(made)[0]
    change(made, first)
    one, other = rows_of(made)
    assert (one.standing, other.standing) == ("overtaken", "stands")
    assert any(said in phrase for phrase in one.changes)
    (standing,) = selectors.record(made.trial).standings.values()
    assert standing.word == "overtaken"
    assert all(phrase.startswith(first.identifier) for phrase in standing.phrases)
    assert list(PopulationMember.objects.order_by("pk").values()) == before


def test_a_patient_who_came_later_overtakes_and_is_not_decided(made):
    signed(reviewed(made), by=made.statistician)
    cohort.add_patient(made)
    late = rows_of(made)[-1]
    assert (late.decided, late.standing) == (None, "overtaken")
    assert "was not there yet" in late.changes[0]


def test_another_rule_overtakes(made):
    signed(reviewed(made), by=made.statistician)
    version = made.trial.newest_version
    rule = {
        "identifier": "EVAL",
        "label": "Evaluable",
        "level": "patient",
        "conditions": [{"condition": "enrolled"}],
        "source": ["P"],
    }
    with factories.framed():
        version.definition |= {"populations": [rule]}
        version.save(update_fields=["definition"])
    assert {one.standing for one in rows_of(made)} == {"overtaken"}
    assert "the rule of EVAL is another one" in rows_of(made)[0].changes[0]


def test_a_new_review_takes_the_place_of_the_one_before(made):
    signed(reviewed(made), by=made.statistician)
    _deviates(made, patients_of(made)[0])
    later = reviewed(made)
    assert rows_of(made)[0].standing == "overtaken"
    signed(later, by=made.statistician)
    assert {(one.review, one.standing) for one in rows_of(made)} == {(later.pk, "stands")}
    assert PopulationReview.objects.filter(trial=made.trial).count() == 2


def test_a_signed_review_takes_no_further_decision(made):
    review = reviewed(made)
    signed(review, by=made.statistician)
    with pytest.raises(Refused) as refused:
        services.decide(
            review,
            Unit(patients_of(made)[0].pk),
            is_in=False,
            reason="too late",
            version=1,
            by=made.statistician,
        )
    assert refused.value.code == "signed-already"


@pytest.mark.parametrize("column", ["inputs", "definition", "exports_taken", "protocol_version"])
def test_what_is_altered_after_the_signature_breaks_it(column, made):
    review = reviewed(made)
    signed(review, by=made.statistician)
    other = {"inputs": [], "definition": {"population": {}}, "exports_taken": 9}
    with factories.framed():
        PopulationReview.objects.filter(pk=review.pk).update(**{column: other.get(column, "9.9")})
    assert {one.standing for one in rows_of(made)} == {"broken"}


def test_the_dataset_has_a_row_for_each_unit_with_the_signature_and_without_a_name(made):
    signature = signed(reviewed(made), by=made.statistician)
    text = b"".join(csvtext.lines(POPULATIONS.columns, population_rows.of(made.trial))).decode()
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(found) == 9 * 2
    keys = [tuple(row[key] for key in POPULATIONS.keys) for row in found]
    assert len(set(keys)) == len(keys)
    decided = [row for row in found if row["population"] == "EVAL"]
    assert [(row["in_population"], row["decided"]) for row in decided] == [("Y", "Y"), ("N", "N")]
    assert {row["signed_by"] for row in decided} == {str(signature.signed_by_id)}
    assert decided[1]["conditions"] == "read"
    assert str(made.statistician) not in text
    never = {one.name for one in POPULATIONS.columns if not one.missing}
    assert {key for row in found for key, value in row.items() if not value} & never == set()


def test_who_withdrew_the_use_of_the_data_has_no_row_and_stands_in_the_flow(made):
    first = patients_of(made)[0]
    withdrawals.record(
        first,
        extent="use",
        initiative="patient",
        withdrawn_at=made.site.today().isoformat(),
        text="no more",
        by=made.coordinator,
    )
    assert {row[3] for row in population_rows.of(made.trial)} == {patients_of(made)[1].identifier}
    boxes = {one.population: one for one in flow(selectors.rows(made.trial)).boxes}
    assert (boxes["ENR"].number, boxes["SAF"].number) == (2, 1)


def test_what_was_decided_of_a_unit_can_not_be_altered_by_the_application(made):
    signed(reviewed(made), by=made.statistician)
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        PopulationMember.objects.update(is_in=False)


def test_every_act_is_in_the_trail(made):
    review = reviewed(made)
    unit = Unit(patients_of(made)[0].pk)
    services.decide(review, unit, is_in=False, reason="died early", version=1, by=made.statistician)
    signed(review, by=made.statistician)
    with connection.cursor() as cursor:
        cursor.execute(
            'select action, reason from trials_auditevent where "table" like %s order by id',
            ["reporting_population%"],
        )
        seen = dict(cursor.fetchall())
    assert list(seen) == [
        "population_review.opened",
        "population_review.decided",
        "population_review.signed",
    ]
    assert seen["population_review.decided"] == "died early"


def test_no_fact_says_what_a_read_a_truth_or_the_randomisation_came_to(made):
    run = made.trial.patients.first().findings.first()
    assert run is not None
    told = str(selectors.facts(made.trial))
    for hidden in ("12.25", "suv", "SUV", "positive", "XY1", "XY2", "HYPERLINK"):
        assert hidden not in told


@pytest.mark.django_db
def test_an_aborted_scan_keeps_the_tracer_in_the_safety_population(db):
    made = cohort.make_cohort(0)
    patient = factories.make_enrolled(made.site, by=made.coordinator)
    scan = factories.make_scan(patient, by=made.coordinator)
    assert [one.is_in for one in rows_of(made, "SAF")] == [False]
    scans.cancel(scan, reason="fever", by=made.coordinator)
    (row,) = rows_of(made, "SAF")
    assert "cancelled before the injection (fever)" in row.why


def test_of_two_who_decide_at_once_the_second_is_told(committed_db):
    made = cohort.make_cohort(1)
    review = reviewed(made)
    (patient,) = patients_of(made)
    together, outcomes = Barrier(2), []

    def decide(is_in: bool) -> None:
        try:
            together.wait(60)
            services.decide(
                review,
                Unit(patient.pk),
                is_in=is_in,
                reason="seen by me",
                version=1,
                by=made.statistician,
            )
            outcomes.append("decided")
        except Refused as refusal:
            outcomes.append(refusal.code)
        finally:
            connections.close_all()

    threads = [Thread(target=decide, args=(one,)) for one in (True, False)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert sorted(outcomes) == ["changed-meanwhile", "decided"]
    assert review.decisions.count() == 1
    review.refresh_from_db()
    assert review.version == 2


def test_of_two_who_begin_at_once_one_begins(committed_db):
    made = cohort.make_cohort(1)
    together, outcomes = Barrier(2), []

    def begin() -> None:
        try:
            together.wait(60)
            reviewed(made)
            outcomes.append("begun")
        except Refused as refusal:
            outcomes.append(refusal.code)
        finally:
            connections.close_all()

    threads = [Thread(target=begin) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert sorted(outcomes) == ["begun", "review-open"]
