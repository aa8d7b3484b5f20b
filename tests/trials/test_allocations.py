"""Allocating patients: once, in order, only who may, and telling nobody what is concealed."""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta
from threading import Barrier, Thread

import psycopg
import pytest
from django.db import connection
from django.urls import reverse
from psycopg.types.json import Jsonb

from tests import factories
from tests.factories import NOON
from trials import randomisation
from trials.models import (
    Allocation,
    AuditEvent,
    Deviation,
    Injection,
    PlannedScan,
    ProtocolVersion,
    ScheduledScan,
)
from trials.roles import Role
from trials.services import (
    allocations,
    consents,
    crossover,
    evidence,
    injections,
    randomisation_lists,
    scans,
)
from trials.services.errors import Forbidden, Refused

SEQUENCES = [
    {"identifier": "PF", "label": "Pentixafor, then FDG", "periods": ["scan_ptf", "scan_fdg"]},
    {"identifier": "FP", "label": "FDG, then Pentixafor", "periods": ["scan_fdg", "scan_ptf"]},
]
SCHEME = {
    "masking": "open",
    "cap": None,
    "sequences": SEQUENCES,
    "strata": [{"by": "site"}],
    "gap": {"minimum": "PT24H", "maximum": "P14D"},
    "forbidden_between": {"events": ["therapy.anticancer"]},
    "source": [],
}


def randomised(trial, **other):
    """The version of a trial with a second scan and a randomisation."""
    version = trial.newest_version
    with factories.framed():
        version.definition = {"randomisation": SCHEME | other}
        version.save(update_fields=["definition"])
        first = version.planned_scans.get(identifier="scan_ptf")
        if not version.planned_scans.filter(identifier="scan_fdg").exists():
            PlannedScan.objects.create(
                version=version,
                tracer=first.tracer,
                identifier="scan_fdg",
                label="FDG PET/CT",
                segmentation=first.segmentation,
            )


@pytest.fixture
def site(db):
    trial = factories.make_trial()
    randomised(trial)
    return factories.make_site(trial)


@pytest.fixture
def coordinator(site):
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


def allocated(site, by, number=1) -> list[Allocation]:
    return [
        allocations.allocate(factories.make_enrolled(site, by=by), by=by) for _ in range(number)
    ]


def test_patients_get_the_places_of_their_stratum_one_after_the_other(site, coordinator):
    rows = allocated(site, coordinator, 10)
    assert [one.position for one in rows] == list(range(10))
    assert {one.stratum for one in rows} == {f"site={site.code}"}
    counts = Counter(allocations.sequence_of(one)["identifier"] for one in rows)
    # Blocks of four or six: after ten places the two are never more than three apart.
    assert abs(counts["PF"] - counts["FP"]) <= 3


@pytest.mark.parametrize(
    ("code", "arrange"),
    [
        ("not-enrolled", lambda site, by: factories.make_patient(site, by=by)),
        ("not-eligible", lambda site, by: _despite(site, by)),
        ("allocated-already", lambda site, by: allocated(site, by)[0].patient),
    ],
)
def test_who_is_not_enrolled_eligible_and_new_is_refused(site, coordinator, code, arrange):
    patient = arrange(site, coordinator)
    before = Allocation.objects.count()
    with pytest.raises(Refused) as refused:
        allocations.allocate(patient, by=coordinator)
    assert refused.value.code == code
    assert Allocation.objects.count() == before


def test_who_withdrew_since_the_page_was_opened_takes_no_place(site, coordinator):
    patient = factories.make_enrolled(site, by=coordinator)
    consents.withdraw(patient.consents.get(), reason="moved away", by=coordinator)
    # As the page that was opened before had it.
    patient.state = patient.State.ENROLLED
    with pytest.raises(Refused) as refused:
        allocations.allocate(patient, by=coordinator)
    assert refused.value.code == "withdrawn"
    assert not Allocation.objects.filter(patient=patient).exists()


def _despite(site, by):
    patient = factories.make_enrolled(site, by=by)
    with factories.framed():
        patient.enrolment.is_despite_criteria = True
        patient.enrolment.save(update_fields=["is_despite_criteria"])
    return patient


def test_a_full_sequence_gives_no_more_places_and_the_sealed_list_agrees(site, coordinator):
    sequences = [{**one, "cap": cap} for one, cap in zip(SCHEME["sequences"], (1, 3), strict=True)]
    randomised(site.trial, sequences=sequences)
    rows = allocated(site, coordinator, 4)
    first, second = (one["identifier"] for one in sequences)
    counts = Counter(allocations.sequence_of(one)["identifier"] for one in rows)
    assert counts == {first: 1, second: 3}
    with pytest.raises(Refused) as refused:
        allocated(site, coordinator)
    assert refused.value.code == "sequences-full"
    statistician = factories.make_user(Role.UNBLINDED_STATISTICIAN, trial=site.trial)
    drawn = randomisation_lists.draw(site.trial, reason="end of the trial", by=statistician)
    assert drawn.mismatches == ()


def test_the_last_place_and_a_stratum_that_is_not_known_are_refused_by_name(site, coordinator):
    allocated(site, coordinator)
    randomised(site.trial, cap=1)
    with pytest.raises(Refused, match="All 1 places"):
        allocated(site, coordinator)
    by_diagnosis = {"by": "evidence", "variable": "diagnosis.group", "levels": ["NHL", "MM"]}
    randomised(site.trial, strata=[by_diagnosis])
    with pytest.raises(Refused, match=r"diagnosis\.group, which is not recorded"):
        allocated(site, coordinator)


@pytest.mark.usefixtures("committed_db")
def test_two_coordinators_at_once_get_successive_places():
    trial = factories.make_trial()
    randomised(trial, strata=[])
    ready = []
    for _ in range(2):
        place = factories.make_site(trial)
        by = factories.make_user(Role.COORDINATOR, trial=trial, site=place)
        ready.append((factories.make_enrolled(place, by=by), by))
    barrier, places = Barrier(2), []

    def allocate(patient, by):
        barrier.wait()
        try:
            places.append(allocations.allocate(patient, by=by).position)
        finally:
            connection.close()

    threads = [Thread(target=allocate, args=one) for one in ready]
    [one.start() for one in threads]
    [one.join() for one in threads]
    assert sorted(places) == [0, 1]


@pytest.mark.usefixtures("committed_db")
def test_two_who_are_randomised_into_the_last_place_get_it_once():
    trial = factories.make_trial()
    randomised(trial, strata=[], cap=1)
    came_to = at_once(trial)
    assert sorted(came_to) == ["randomisation-full", "randomised"]
    assert trial.allocations.count() == 1


def at_once(trial) -> list[str]:
    """What comes of two patients of two sites who are randomised at the same moment."""
    ready = []
    for _ in range(2):
        place = factories.make_site(trial)
        by = factories.make_user(Role.COORDINATOR, trial=trial, site=place)
        ready.append((factories.make_enrolled(place, by=by), by))
    barrier, came_to = Barrier(2), []

    def allocate(patient, by):
        barrier.wait()
        try:
            allocations.allocate(patient, by=by)
            came_to.append("randomised")
        except Refused as refusal:
            came_to.append(refusal.code)
        finally:
            connection.close()

    threads = [Thread(target=allocate, args=one) for one in ready]
    [one.start() for one in threads]
    [one.join() for one in threads]
    return came_to


@pytest.mark.usefixtures("committed_db")
def test_an_allocation_made_before_seals_is_neither_right_nor_wrong():
    trial = factories.make_trial()
    randomised(trial)
    place = factories.make_site(trial)
    by = factories.make_user(Role.COORDINATOR, trial=trial, site=place)
    (sealed,) = allocated(place, by)
    early = factories.make_enrolled(place, by=by)
    insert_as_before_seals(early, sealed)
    holder = factories.make_user(Role.UNBLINDED_STATISTICIAN, trial=trial)
    found = randomisation_lists.draw(trial, reason="asked by the committee", by=holder)
    assert found.mismatches == ()
    assert found.row.mismatches == 0
    name = early.identifier
    assert found.incomparable == (f"{name}: can't be compared: made before the list was sealed.",)


def insert_as_before_seals(patient, sealed):
    """The next place of a stratum as the release before seals wrote it, with its event."""
    copied = "trial_id, version_id, scheme_sha256, stratum, allocated_by_id, allocated_at"
    with psycopg.connect(os.environ["OWNER_DATABASE_URL"]) as owner:
        owner.execute("alter table trials_allocation disable trigger user")
        (pk,) = owner.execute(
            f"insert into trials_allocation (patient_id, position, strata, seal, {copied}) "  # noqa: S608  names of columns
            f"select %s, position + 1, '[]', '', {copied} from trials_allocation where id = %s "
            "returning id",
            (patient.pk, sealed.pk),
        ).fetchone()
        owner.execute("set constraints all immediate")
        owner.execute("alter table trials_allocation enable trigger user")
        owner.execute(
            'insert into trials_auditevent (at, transaction, "table", "row", operation, after, '
            "action, reason, actor, actor_name, request, software_version, database_role) values "
            "(now(), 1, 'trials_allocation', %s, 'I', %s, 'patient.randomised', 'next place', 1, "
            "'Somebody', '', '0', 'x')",
            (str(pk), Jsonb({"id": pk, "position": sealed.position + 1})),
        )


# ------------------------------------------------------------------------------- what is told


def test_who_may_sees_an_open_sequence_and_nobody_the_seed_or_a_block(
    site, coordinator, client, caplog
):
    (row,) = allocated(site, coordinator)
    client.force_login(coordinator)
    page = client.get(reverse("patient_allocation", args=[row.patient.pk])).content.decode()
    answer = client.get(reverse("api_allocation", args=[row.patient.pk])).json()
    assert allocations.sequence_of(row)["label"] in page
    assert answer["sequence"] == allocations.sequence_of(row)["identifier"]
    assert set(answer) == {"id", "allocated_at", "is_concealed", "sequence", "periods", "strata"}
    key = bytes(site.trial.uid_key)
    seed = randomisation.seed(key, trial=site.trial.identifier, scheme=row.scheme_sha256)
    trail = str(list(AuditEvent.objects.filter(table="trials_allocation").values()))
    for told in (page, str(answer), trail, caplog.text):
        assert seed.hex() not in told
        assert key.hex() not in told
        assert "PF" not in trail


def test_a_concealed_allocation_is_told_to_who_unblinds_it_and_to_nobody_else(
    site, coordinator, client
):
    randomised(site.trial, masking="concealed")
    (row,) = allocated(site, coordinator)
    investigator, other = (
        factories.make_user(Role.INVESTIGATOR, trial=site.trial, site=site) for _ in range(2)
    )
    label = allocations.sequence_of(row)["label"]
    with pytest.raises(Forbidden):
        allocations.unblind(row, reason="seizure", by=coordinator)
    assert not allocations.may_see(row, investigator)

    client.force_login(investigator)
    address = reverse("patient_unblind", args=[row.patient.pk])
    shown = client.post(address, {"reason": "anaphylaxis after the tracer"}, follow=True)
    periods = [one["label"] for one in SEQUENCES]
    assert label in shown.content.decode()
    for person in (coordinator, other):
        assert not allocations.may_see(row, person)
    client.force_login(other)
    answer = client.get(reverse("api_allocation", args=[row.patient.pk])).json()
    assert (answer["is_concealed"], answer["sequence"], answer["periods"]) == (True, None, [])
    alarm = Deviation.objects.get(rule="allocation-unblinded", patient=row.patient)
    assert alarm.is_important
    assert "anaphylaxis" in alarm.text
    assert not any(one in alarm.text for one in periods)
    allocations.unblind(row, reason="asked by the intensive ward", by=other)
    assert Deviation.objects.filter(rule="allocation-unblinded", patient=row.patient).count() == 2
    client.force_login(investigator)
    for one in Deviation.objects.filter(patient=row.patient):
        assert client.get(reverse("deviation", args=[one.pk])).status_code == 200
    trail = str(list(AuditEvent.objects.filter(patient=row.patient.pk).values()))
    assert "allocation.unblinded" in trail
    assert not any(one["identifier"] in trail for one in SEQUENCES)


# ------------------------------------------------------------------------------ the cross-over


def asked(patient, second_at, by, told=None):
    """What the gate asks of the second scan, by code, with the first given at noon."""
    row = Allocation.objects.get(patient=patient)
    first, second = allocations.sequence_of(row)["periods"]
    plans = {one.identifier: one for one in row.version.planned_scans.all()}
    one = scans.schedule(patient, planned_scan=plans[first], planned_at=NOON, by=by)
    two = scans.schedule(patient, planned_scan=plans[second], planned_at=second_at, by=by)
    before = {found.code: found.is_met for found in crossover.asked(two, at=second_at)}
    assert before == {"sequence": False}
    inject(one, NOON, by)
    if told is not None:
        tell(patient, by, "therapy.anticancer", told, "2026-03-09")
    return {found.code: found.is_met for found in crossover.asked(two, at=second_at)}


@pytest.mark.parametrize(
    ("hours", "told", "gap", "between"),
    [
        (24, [], True, True),
        (23.99, [], False, True),
        (14 * 24, [], True, True),
        (15 * 24, [], False, True),
        (168, None, True, False),
        (168, [{"name": "R-CHOP", "started_on": "2026-03-05"}], True, False),
        (
            168,
            [{"name": "R-CHOP", "started_on": "2026-02", "stopped_on": "2026-02-20"}],
            True,
            True,
        ),
    ],
)
def test_gap_and_therapy_between_the_tracers(site, coordinator, hours, told, gap, between):
    (row,) = allocated(site, coordinator)
    second_at = NOON + timedelta(hours=hours)
    found = asked(row.patient, second_at, coordinator, told)
    assert found == {"sequence": True, "gap": gap, "between-therapy.anticancer": between}


def test_a_corrected_time_is_held_to_the_gap_of_both_tracers(site, coordinator):
    (row,) = allocated(site, coordinator)
    second_at = NOON + timedelta(hours=48)
    assert asked(row.patient, second_at, coordinator, [])["gap"]
    first, second = ScheduledScan.objects.filter(patient=row.patient).order_by("planned_at")
    inject(second, second_at, coordinator)

    def corrected(scan, at):
        given = Injection.objects.get(scheduled_scan=scan)
        told = {"assayed_activity_mbq": 150.0, "assayed_at": at, "injected_at": at}
        told |= {"residual_activity_mbq": None, "residual_at": None, "weight_kg": 70.0}
        injections.correct(given, reason="misread", by=coordinator, **told)
        found = Deviation.objects.filter(patient=row.patient, rule=injections.AT_ITS_TIME)
        return {(one.subject_pk, one.state): one.text for one in found}

    late = Injection.objects.get(scheduled_scan=second).pk
    (text,) = corrected(first, NOON + timedelta(hours=30)).values()
    assert "may be given from" in text
    assert list(corrected(first, NOON)) == [(late, "closed")]
    assert list(corrected(second, NOON + timedelta(hours=20))) == [(late, "drafted")]


def tell(patient, by, variable, value, observed_at):
    return evidence.record(
        patient,
        variable=variable,
        value=value,
        unit="",
        observed_at=observed_at,
        is_study_specific=False,
        source="asked",
        by=by,
    )


def test_a_history_from_before_the_first_tracer_that_is_typed_in_late_tells_nothing(
    site, coordinator
):
    (row,) = allocated(site, coordinator)
    second_at = NOON + timedelta(days=7)
    asked(row.patient, second_at, coordinator)
    scan = row.patient.scheduled_scans.get(injection=None)

    def between():
        return {one.code: one.is_met for one in crossover.asked(scan, at=second_at)}[
            "between-therapy.anticancer"
        ]

    old = tell(row.patient, coordinator, "therapy.anticancer", [], "2026-02-20")
    assert not between()
    evidence.correct(
        old,
        value=[],
        unit="",
        observed_at="2026-02-21",
        source="asked",
        reason="typing error",
        by=coordinator,
    )
    assert not between()
    tell(row.patient, coordinator, "therapy.anticancer", [], "2026-03-08")
    assert between()


def test_the_stratum_is_what_was_observed_last_whatever_its_zone(site, coordinator):
    by_diagnosis = {"by": "evidence", "variable": "diagnosis.group", "levels": ["NHL", "MM"]}
    randomised(site.trial, strata=[by_diagnosis])
    patient = factories.make_enrolled(site, by=coordinator)
    # The second is half an hour later, though its text sorts before.
    tell(patient, coordinator, "diagnosis.group", "NHL", "2026-03-02T13:00:00+02:00")
    tell(patient, coordinator, "diagnosis.group", "MM", "2026-03-02T11:30:00+00:00")
    assert allocations.allocate(patient, by=coordinator).stratum == "diagnosis.group=MM"


def inject(scan, at, by):
    injections.record(
        scan,
        assayed_activity_mbq=150.0,
        assayed_at=at,
        residual_activity_mbq=None,
        residual_at=None,
        injected_at=at,
        weight_kg=70.0,
        despite="as it was",
        by=by,
    )


def in_order(row, by, order=1):
    """The two scans of a patient in the order of the sequence, or (-1) against it."""
    plans = {one.identifier: one for one in row.version.planned_scans.all()}
    return [
        scans.schedule(row.patient, planned_scan=plans[one], planned_at=NOON, by=by)
        for one in allocations.sequence_of(row)["periods"][::order]
    ]


def test_the_first_period_is_red_when_the_later_tracer_was_given_already(site, coordinator):
    (row,) = allocated(site, coordinator)
    later, first = in_order(row, coordinator, order=-1)
    inject(later, NOON, coordinator)
    found = {one.code: one for one in crossover.asked(first, at=NOON + timedelta(hours=2))}
    assert "was given already" in found["sequence"].sentence
    assert {code: one.is_met for code, one in found.items()} == {
        "sequence": False,
        "gap": False,
        "between-therapy.anticancer": False,
    }
    # Of the one that was given too early nothing was before.
    assert [one.code for one in crossover.asked(later, at=NOON)] == ["sequence"]


def test_a_concealed_allocation_hides_the_order_alone(site, coordinator):
    randomised(site.trial, masking="concealed")
    (row,) = allocated(site, coordinator)
    one, other = in_order(row, coordinator)
    assert [found.is_met for found in crossover.asked(one, at=NOON)] == [None]
    inject(one, NOON, coordinator)
    found = {each.code: each for each in crossover.asked(other, at=NOON + timedelta(hours=2))}
    assert {code: each.is_met for code, each in found.items()} == {
        "sequence": None,
        "gap": False,
        "between-therapy.anticancer": False,
    }


def test_an_amendment_that_renames_the_other_scan_leaves_an_answer(site, coordinator):
    (row,) = allocated(site, coordinator)
    first, second = in_order(row, coordinator)
    with factories.framed():
        PlannedScan.objects.filter(pk=first.planned_scan_id).update(identifier="scan_renamed")
    (found,) = crossover.asked(second, at=NOON)
    assert not found.is_met
    assert allocations.sequence_of(row)["periods"][0] in found.sentence


def test_a_period_that_an_amendment_renamed_is_the_same_period(site, coordinator):
    (row,) = allocated(site, coordinator)
    first, second = in_order(row, coordinator)
    was = second.planned_scan
    sequences = [
        one | {"periods": ["later" if name == was.identifier else name for name in one["periods"]]}
        for one in SEQUENCES
    ]
    with factories.framed():
        version = ProtocolVersion.objects.create(
            trial=site.trial,
            number=2,
            label="2.0",
            definition={"randomisation": SCHEME | {"sequences": sequences}},
            definition_sha256="1" * 64,
        )
        second.planned_scan = PlannedScan.objects.create(
            version=version,
            tracer=was.tracer,
            identifier="later",
            label="Later",
            segmentation=was.segmentation,
        )
        second.save(update_fields=["planned_scan"])
    found = {one.code: one.is_met for one in crossover.asked(second, at=NOON)}
    # The first one is not given yet: red for the order, and no longer for its name.
    assert found == {"sequence": False}
    inject(first, NOON, coordinator)
    found = {one.code: one.is_met for one in crossover.asked(second, at=NOON + timedelta(days=2))}
    assert found["sequence"] is True
    assert found["gap"] is True


def test_a_scan_of_a_sequence_waits_for_the_allocation(site, coordinator):
    patient = factories.make_enrolled(site, by=coordinator)
    scan = factories.make_scan(patient, by=coordinator)
    (found,) = crossover.asked(scan, at=NOON)
    assert (found.code, found.is_met) == ("sequence", False)
    assert "is not randomised" in found.sentence
