"""The eligibility audit board and source verification."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests import factories
from trials import board
from trials.board import Cell
from trials.models import EligibilityCriterion, Patient, PlannedScan, User
from trials.roles import Role
from trials.selectors import board as selectors
from trials.selectors.patients import standings, with_standing
from trials.services import assessments, evidence, scans, verdicts, verification
from trials.services.errors import Forbidden, Invalid, Refused

pytestmark = pytest.mark.django_db
RULES = {
    "I1": {"op": "ge", "var": "height", "value": 100, "unit": "cm"},
    "I2": {"op": "le", "var": "ecog", "value": 2},
}


@pytest.fixture
def site():
    trial = factories.make_trial()
    with factories.framed():
        for position, (identifier, expression) in enumerate(RULES.items(), start=1):
            EligibilityCriterion.objects.create(
                version=trial.newest_version,
                identifier=identifier,
                position=position,
                category="inclusion",
                text=f"Criterion {identifier}",
                expression=expression,
                gate="enrolment",
                provenance="source",
            )
    return factories.make_site(trial)


@pytest.fixture
def coordinator(site):
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


@pytest.fixture
def monitor(site):
    return factories.make_user(Role.MONITOR, trial=site.trial, site=site)


def record(patient, by, variable="height", value=170.0, unit="cm"):
    return evidence.record(
        patient,
        variable=variable,
        value=value,
        unit=unit,
        observed_at=(timezone.localdate() - timedelta(days=1)).isoformat(),
        is_study_specific=False,
        source="file",
        by=by,
    )


def judged(site, by):
    patient = factories.make_patient(site, by=by)
    factories.make_consent(patient, by=by)
    record(patient, by)
    assessments.assess(patient, gate="enrolment", by=by)
    return patient


@pytest.fixture
def patient(site, coordinator):
    return judged(site, coordinator)


def criterion(site, identifier="I1"):
    return site.version_in_force.criteria.get(identifier=identifier)


def cells(site, patient):
    criteria = selectors.columns([site])
    (row,) = selectors.rows(Patient.objects.filter(pk=patient.pk), criteria)
    return {cell.criterion: (cell.word, cell.verification) for cell in row.cells}


def mark(patient, by, *, site, identifier="I1"):
    one = criterion(site, identifier)
    seen = {one: verification.digest_of(patient, one)}
    return verification.verify(patient, seen=seen, by=by)


def test_each_cell_has_the_word_of_the_newest_judgement(site, patient):
    assert cells(site, patient) == {
        "I1": ("satisfied", "not verified"),
        "I2": ("cannot tell", "not verified"),
    }


def test_a_change_of_the_evidence_clears_the_mark_by_itself(site, patient, coordinator, monitor):
    mark(patient, monitor, site=site)
    assert cells(site, patient)["I1"] == ("satisfied", "verified")
    record(patient, coordinator, "ecog", 1, "")
    assert cells(site, patient)["I1"] == ("satisfied", "verified")
    row = patient.evidence.get(variable="height")
    evidence.correct(
        row,
        value=171.0,
        unit="cm",
        observed_at=row.observed_at,
        source="file",
        reason="digit",
        by=coordinator,
    )
    assert cells(site, patient)["I1"] == ("satisfied", "changed since verified")


def test_what_changed_while_one_looked_is_not_verified(site, patient, coordinator, monitor):
    one = criterion(site)
    seen = {one: verification.digest_of(patient, one)}
    record(patient, coordinator, value=172.0)
    patient = Patient.objects.get(pk=patient.pk)
    with pytest.raises(Refused, match="changed while you looked"):
        verification.verify(patient, seen=seen, by=monitor)
    assert not patient.verifications.exists()


def test_only_a_monitor_verifies(site, patient, coordinator):
    with pytest.raises(Forbidden):
        mark(patient, coordinator, site=site)


def test_a_monitor_sees_the_sites_that_are_monitored_alone(client, site, patient, monitor):
    other = factories.make_site(site.trial)
    by = factories.make_user(Role.COORDINATOR, trial=site.trial, site=other)
    hidden = judged(other, by)
    client.force_login(monitor)
    shown = client.get(reverse("eligibility")).content.decode()
    assert patient.identifier in shown
    assert hidden.identifier not in shown
    assert client.get(reverse("board_cell", args=[hidden.pk, "I1"])).status_code == 404


@pytest.mark.parametrize(
    ("query", "is_shown"),
    [
        ({"word": "cannot tell"}, True),
        ({"word": "excludes"}, False),
        ({"criterion": "I1", "word": "cannot tell"}, False),
        ({"verification": "not verified"}, True),
        ({"verification": "changed since verified"}, False),
        ({"state": "enrolled"}, False),
    ],
)
def test_the_board_is_narrowed_to_what_is_asked_for(client, patient, monitor, query, is_shown):
    client.force_login(monitor)
    shown = client.get(reverse("eligibility"), query).content.decode()
    assert (reverse("board_cell", args=[patient.pk, "I1"]) in shown) == is_shown


def test_a_cell_opens_evidence_rule_runs_and_verification(client, site, patient, monitor):
    client.force_login(monitor)
    address = reverse("board_cell", args=[patient.pk, "I1"])
    shown = client.get(address).content.decode()
    for part in ("170 cm", "Rule: Height at least 100 cm", "Every run", "Not verified"):
        assert part in shown
    one = criterion(site)
    form = {"evidence_sha256": verification.digest_of(patient, one), "note": "seen"}
    assert client.post(address, form).status_code == 302
    assert patient.verifications.get().note == "seen"


def test_many_cells_are_verified_in_one_act(client, site, patient, monitor):
    client.force_login(monitor)
    address = reverse("board_verify", args=[patient.pk])
    found = selectors.judged(patient)
    form = {f"seen-{cell.criterion.identifier}": cell.digest for cell in found}
    answer = client.post(address, form | {"evidence_sha256": "-", "note": ""})
    assert answer.status_code == 302
    assert {one for _, one in cells(site, patient).values()} == {"verified"}


def test_the_board_costs_as_many_queries_for_three_patients_as_for_one(
    site, patient, coordinator, monitor, django_assert_num_queries
):
    factories.sign(patient.assessments.get())
    mark(patient, monitor, site=site)
    criteria = selectors.columns([site])
    rows = Patient.objects.filter(site=site)
    with CaptureQueriesContext(connection) as one:
        selectors.rows(rows, criteria)
    for _ in "12":
        another = judged(site, coordinator)
        factories.sign(another.assessments.get())
        mark(another, monitor, site=site)
    with django_assert_num_queries(len(one)):
        assert len(selectors.rows(rows, criteria)) == 3


def test_who_was_enrolled_despite_the_criteria_is_marked(site, patient):
    from trials.services import enrolment

    enrolment.record_despite(
        patient,
        text="on paper",
        password=factories.PASSWORD,
        by=site.principal_investigator,
    )
    (row,) = selectors.rows(Patient.objects.filter(pk=patient.pk), selectors.columns([site]))
    assert row.is_despite


def test_the_screening_log_accounts_for_everyone_and_runs_no_formula(
    client, site, patient, coordinator
):
    from trials.services import enrolment

    enrolment.end_screening(patient, category="declined", reason="=1+1", by=coordinator)
    client.force_login(coordinator)
    answer = client.get(reverse("screening_log_csv"))
    lines = answer.content.decode().splitlines()
    assert lines[0].startswith("trial,site,screening_number")
    assert lines[1].startswith(f"{site.trial},{site.code},{site.code}-S001,")
    assert "Patient declined: =1+1" in lines[1]
    assert patient.birth not in answer.content.decode()


def test_evidence_of_a_scan_that_counts_for_the_patient_ends_the_verdict_and_the_mark(
    site, patient, coordinator, monitor
):
    """A height noted with a scan is the patient's height all the same."""
    assessment = patient.assessments.get()
    mark(patient, monitor, site=site)
    scan = factories.make_scan(factories.make_enrolled(site, by=coordinator), by=coordinator)
    with factories.framed():
        type(scan).objects.filter(pk=scan.pk).update(patient=patient)
    evidence.record(
        patient,
        variable="height",
        value=90.0,
        unit="cm",
        observed_at=timezone.localdate().isoformat(),
        is_study_specific=False,
        source="scan day",
        by=coordinator,
        scheduled_scan=scan.__class__.objects.get(pk=scan.pk),
    )
    (phrase,) = verdicts.changed_since(assessment)
    assert phrase.startswith("height was recorded")
    assert cells(site, patient)["I1"] == ("satisfied", "changed since verified")
    (row,) = selectors.rows(Patient.objects.filter(pk=patient.pk), selectors.columns([site]))
    assert not row.stands


def test_what_is_measured_for_a_scan_alone_leaves_the_verdict(site, coordinator):
    patient = factories.make_enrolled(site, by=coordinator)
    scan = factories.make_scan(patient, by=coordinator)
    assessment = assessments.assess(patient, gate="enrolment", by=coordinator)
    evidence.record(
        patient,
        variable="glucose",
        value=5.0,
        unit="mmol/L",
        observed_at=timezone.localdate().isoformat(),
        is_study_specific=False,
        source="glucometer",
        by=coordinator,
        scheduled_scan=scan,
    )
    assert verdicts.changed_since(assessment) == []


def test_a_new_consent_clears_the_mark_on_an_age_at_consent(site, coordinator, monitor):
    with factories.framed():
        EligibilityCriterion.objects.filter(identifier="I1").update(
            expression={"op": "ge", "var": "age_years", "value": 18}
        )
    patient = judged(site, coordinator)
    mark(patient, monitor, site=site)
    factories.make_consent(patient, by=coordinator, signed_at="2026-03-01")
    assert cells(site, patient)["I1"][1] == "changed since verified"


def board_row(patient):
    (row,) = selectors.rows(
        Patient.objects.filter(pk=patient.pk), selectors.columns([patient.site])
    )
    return row


@pytest.fixture
def signed(site, patient, coordinator):
    record(patient, coordinator, "ecog", 1, "")
    row = assessments.assess(patient, gate="enrolment", by=coordinator)
    factories.sign(row)
    return row


@pytest.mark.requirement("21 CFR 11.70")
@pytest.mark.parametrize("tampered", ["result", "verdict"])
def test_a_signature_over_another_record_stands_nowhere(client, signed, monitor, tampered):
    patient = signed.patient
    row = board_row(patient)
    assert (row.is_signed, row.is_signature_broken, row.stands) == (True, False, True)
    (standing,) = standings(list(with_standing(Patient.objects.filter(pk=patient.pk))))
    assert standing[1].is_signed
    with factories.framed():
        if tampered == "result":
            signed.results.filter(criterion__identifier="I1").update(word="excludes")
        else:
            patient.assessments.filter(pk=signed.pk).update(verdict="ineligible")
    row = board_row(patient)
    assert (row.is_signed, row.is_signature_broken, row.stands) == (False, True, True)
    (standing,) = standings(list(with_standing(Patient.objects.filter(pk=patient.pk))))
    assert not standing[1].is_signed
    client.force_login(monitor)
    assert "Signature broken" in client.get(reverse("eligibility")).content.decode()
    opened = selectors.opened(patient, criterion(patient.site), None)
    assert not opened.signature_stands


GLUCOSE = {"op": "le", "var": "glucose", "value": 11.1, "unit": "mmol/L"}


@pytest.fixture
def twice(site, coordinator):
    """Two scans of a patient: glucose excludes the first and is fit for the second."""
    with factories.framed():
        EligibilityCriterion.objects.create(
            version=site.trial.newest_version,
            identifier="E6",
            position=3,
            category="inclusion",
            text="Glucose before the tracer",
            expression=GLUCOSE,
            gate="pre_injection",
            provenance="source",
        )
        first_plan = PlannedScan.objects.get(version=site.version_in_force)
        second_plan = PlannedScan.objects.create(
            version=first_plan.version,
            tracer=first_plan.tracer,
            identifier="follow_up",
            label="Follow-up PET/CT",
        )
    patient = factories.make_enrolled(site, by=coordinator)
    first = factories.make_scan(patient, by=coordinator)
    second = scans.schedule(
        patient,
        planned_scan=second_plan,
        planned_at=first.planned_at + timedelta(days=56),
        by=coordinator,
    )
    for scan, glucose in ((first, 15.0), (second, 5.5)):
        measured(scan, glucose, by=coordinator)
        assessments.assess(patient, gate="pre_injection", scheduled_scan=scan, by=coordinator)
    return first, second


def measured(scan, glucose, *, by):
    return evidence.record(
        scan.patient,
        variable="glucose",
        value=glucose,
        unit="mmol/L",
        observed_at=timezone.localdate().isoformat(),
        is_study_specific=False,
        source="glucometer",
        by=by,
        scheduled_scan=scan,
    )


def scan_cells(patient):
    return [
        (cell.scan, cell.word, cell.verification)
        for cell in board_row(patient).cells
        if cell.criterion == "E6"
    ]


def test_a_later_scan_does_not_hide_what_excluded_an_earlier_one(twice):
    first, second = twice
    assert scan_cells(first.patient) == [
        (first.pk, "excludes", "not verified"),
        (second.pk, "satisfied", "not verified"),
    ]
    columns = board_row(first.patient).columns
    assert [len(cells) for cells in columns] == [1, 1, 2]
    assert columns[2][1].judged_for == f"Follow-up PET/CT, {second.planned_at:%Y-%m-%d}"


def test_each_scan_of_a_criterion_is_verified_for_itself(twice, site, coordinator, monitor):
    first, second = twice
    one = criterion(site, "E6")
    for scan in twice:
        seen = {one: verification.digest_of(first.patient, one, scan=scan)}
        verification.verify(first.patient, seen=seen, scheduled_scan=scan, by=monitor)
    assert [mark for *_, mark in scan_cells(first.patient)] == ["verified", "verified"]
    measured(second, 6.0, by=coordinator)
    assert scan_cells(first.patient) == [
        (first.pk, "excludes", "verified"),
        (second.pk, "satisfied", "changed since verified"),
    ]


def test_a_scan_of_somebody_else_is_not_verified_with_a_patient(twice, site, patient, monitor):
    one = criterion(site, "E6")
    seen = {one: verification.digest_of(patient, one, scan=twice[0])}
    with pytest.raises(Invalid, match="belongs to another patient"):
        verification.verify(patient, seen=seen, scheduled_scan=twice[0], by=monitor)


@pytest.mark.parametrize(
    ("query", "is_shown"),
    [
        ({"criterion": "E6", "word": "excludes"}, True),
        ({"criterion": "E6", "word": "satisfied"}, True),
        ({"criterion": "E6", "word": "cannot tell"}, False),
    ],
)
def test_the_board_is_narrowed_by_any_scan_of_a_criterion(client, twice, monitor, query, is_shown):
    client.force_login(monitor)
    shown = client.get(reverse("eligibility"), query).content.decode()
    address = reverse("board_cell", args=[twice[0].patient_id, "E6"])
    for scan in twice:
        assert (f"{address}?scan={scan.pk}" in shown) == is_shown


def test_each_scan_opens_its_own_evidence_and_leads_to_the_others(client, twice, monitor):
    client.force_login(monitor)
    address = reverse("board_cell", args=[twice[0].patient_id, "E6"])
    first, second = twice
    shown = client.get(address, {"scan": first.pk}).content.decode()
    assert "15 mmol/L" in shown
    assert "5.5 mmol/L" not in shown
    assert f"{address}?scan={second.pk}" in shown


def test_a_patient_with_two_scans_counts_once_in_the_total_by_the_worst():
    rows = [
        [Cell("E6", "excludes", verification=board.VERIFIED, scan=1), Cell("E6", "satisfied")],
        [Cell("E6")],
    ]
    (found,) = board.totals(["E6"], rows)
    assert dict(found.words) == {"excludes": 1}
    assert (found.verified, found.judged) == (1, 2)


def test_the_api_gives_each_scan_its_own_cell(client, twice, monitor):
    first, second = twice
    client.force_login(monitor)
    trial = first.patient.trial.identifier
    (row,) = client.get(reverse("api_board"), {"trial": trial}).json()["results"]
    assert [one["scan"] for one in row["cells"] if one["criterion"] == "E6"] == [
        first.pk,
        second.pk,
    ]
    address = reverse("api_board_cell", args=[first.patient_id, "E6"])
    digests = {
        client.get(address, {"scheduled_scan": scan.pk}).json()["evidence_sha256"] for scan in twice
    }
    assert len(digests) == 2


def test_the_api_opens_no_cell_of_a_scan_of_somebody_else(client, twice, patient, monitor):
    client.force_login(monitor)
    address = reverse("api_board_cell", args=[patient.pk, "I1"])
    assert client.get(address, {"scheduled_scan": twice[0].pk}).status_code == 404


def changed(patient, since):
    return [cell.criterion for cell in board_row(patient).cells if cell.changed_after(since)]


def test_a_cell_changes_with_its_evidence_verification_and_judgement(
    site, patient, coordinator, monitor
):
    before = timezone.now()
    assert changed(patient, before) == []
    record(patient, coordinator, "ecog", 1, "")
    assert changed(patient, before) == ["I2"]
    mark(patient, monitor, site=site)
    assert changed(patient, before) == ["I1", "I2"]
    between = timezone.now()
    assert changed(patient, between) == []
    assessments.assess(patient, gate="enrolment", by=coordinator)
    assert changed(patient, between) == ["I1", "I2"]


def test_a_signature_and_its_end_change_every_cell_under_it(signed, coordinator):
    before = signed.assessed_at
    (signature,) = signed.patient.signatures.all()
    assert changed(signed.patient, before) == ["I1", "I2"]
    assert changed(signed.patient, signature.signed_at) == []
    record(signed.patient, coordinator, "weight", 70.0, "kg")
    assert changed(signed.patient, signature.signed_at) == ["I1", "I2"]


def test_the_board_is_narrowed_to_what_changed_since(client, site, patient, coordinator, monitor):
    client.force_login(monitor)
    since = timezone.now().isoformat()
    other = judged(site, coordinator)
    trial = site.trial.identifier
    shown = client.get(reverse("eligibility"), {"trial": trial, "since": since}).content.decode()
    assert "not verified, changed since</span>" in shown
    assert reverse("board_cell", args=[other.pk, "I1"]) in shown
    assert reverse("board_cell", args=[patient.pk, "I1"]) not in shown
    answer = client.get(reverse("api_board"), {"trial": trial, "changed_since": since}).json()
    assert [row["patient"] for row in answer["results"]] == [other.pk]


def test_a_date_that_is_none_narrows_nothing_and_says_so(client, patient, monitor):
    client.force_login(monitor)
    shown = client.get(reverse("eligibility"), {"since": "yesterday"}).content.decode()
    assert "is no date and time" in shown
    assert reverse("board_cell", args=[patient.pk, "I1"]) in shown


def test_the_board_offers_what_changed_since_the_log_in_before(client, patient, monitor):
    client.force_login(monitor)
    assert "You logged in before on" not in client.get(reverse("eligibility")).content.decode()
    before = User.objects.get(pk=monitor.pk)
    client.force_login(monitor)
    shown = client.get(reverse("eligibility")).content.decode()
    assert f"since={before.last_login:%Y-%m-%dT%H:%M:%S}" in shown
