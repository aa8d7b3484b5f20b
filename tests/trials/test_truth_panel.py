"""The truth panel: what it sees, what it decides, and what it does once it knows the index test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config import dashboard
from tests import factories
from trials import roles
from trials.models import AuditEvent, Deviation, FormEntry, Signature
from trials.roles import Role
from trials.selectors import panel as selectors
from trials.selectors import panel_veil
from trials.services import (
    deviations,
    form_entries,
    form_reviews,
    jobs,
    panel,
    protocols,
    queries,
)
from trials.services.errors import Forbidden, Refused

pytestmark = pytest.mark.django_db
DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()
BIOPSY = {
    "region": "spleen",
    "side": {"missing": "NA"},
    "lesion": "L1",
    "taken_by": "CORE",
    "taken_on": "2026-03",
    "is_adequate": "yes",
    "result": "POSITIVE",
    "diagnosis": "Marginal zone lymphoma, WHO 2022",
    "is_central": "yes",
}
TRUTH = {
    "region": "spleen",
    "lesion": "L1",
    "truth": "PRESENT",
    "basis": ["HISTOLOGY"],
    "decided_on": "2026-04-01",
}


@pytest.fixture
def site():
    return factories.make_site(protocols.load_trial(DEMO, by=jobs.system_user()).trial)


@pytest.fixture
def coordinator(site):
    user = factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)
    factories.delegate(user, site)
    return user


@pytest.fixture
def patient(site, coordinator):
    return factories.make_enrolled(site, by=coordinator)


def member(role, site):
    return factories.make_user(role, trial=site.trial, site=None)


def fill(patient, form, given, by):
    entry = form_entries.begin(patient, form=form, by=by)
    return form_entries.complete(entry, given=given, revision=1, by=by)


def sign(entry, by):
    return form_reviews.sign(entry, revision=entry.revision, by=by, password=factories.PASSWORD)


def test_the_panel_may_do_nothing_but_decide_from_the_reference_standard():
    held = {name for name, who in roles.PERMISSIONS.items() if Role.PANEL in who}
    assert held == {"panel.view", "panel.decide", "panel.sign"}
    deciding = {name for name, who in roles.PERMISSIONS.items() if who == {Role.PANEL}}
    assert deciding == {"panel.decide", "panel.sign"}


def test_the_panel_sees_completed_evidence_and_none_of_the_other_forms(patient, coordinator, site):
    fill(patient, "histology", BIOPSY, coordinator)
    history = {"term": "Rash", "started_on": "2019", "is_ongoing": "no", "ended_on": "2020"}
    other = fill(patient, "medical_history", history, coordinator)
    form_entries.begin(patient, form="histology", by=coordinator)
    (found,) = selectors.case_of(patient).evidence
    assert (found.label, found.repeat) == ("Biopsy or histology of a lesion", 1)
    assert ("Result", "Disease of the trial") in [(one.label, one.value) for one in found.items]
    on_panel = member(Role.PANEL, site)
    with pytest.raises(Forbidden):
        form_entries.begin(patient, form="histology", by=on_panel)
    with pytest.raises(Forbidden):
        form_reviews.sign(other, revision=1, by=on_panel, password=factories.PASSWORD)


def test_pages_of_the_panel_open_for_it_and_pages_of_the_trial_do_not(
    client, patient, coordinator, site
):
    fill(patient, "histology", BIOPSY, coordinator)
    client.force_login(member(Role.PANEL, site))
    page = client.get(reverse("panel_patient", args=[patient.pk])).content.decode()
    assert "Marginal zone lymphoma" in page
    assert client.get(reverse("panel_patients")).status_code == 200
    names = ("patient", "patient_forms", "patient_allocation")
    found = {one: client.get(reverse(one, args=[patient.pk])).status_code for one in names}
    assert set(found.values()) == {403}
    lists = ("patients", "transmittals", "reading_list", "responses", "exports", "form_entries")
    assert {client.get(reverse(one)).status_code for one in lists} == {403}
    begun = client.post(reverse("form_begin", args=[patient.pk, "truth_of_lesion"]))
    assert client.get(begun.url).status_code == 200


def test_the_site_neither_decides_nor_sees_what_the_panel_decides(
    client, patient, coordinator, site
):
    with pytest.raises(Forbidden):
        form_entries.begin(patient, form="truth_of_lesion", by=coordinator)
    entry = fill(patient, "truth_of_lesion", TRUTH, member(Role.PANEL, site))
    client.force_login(coordinator)
    assert client.get(reverse("form_entry", args=[entry.pk])).status_code == 403
    for address in (reverse("patient_forms", args=[patient.pk]), reverse("form_entries")):
        assert "Truth of" not in client.get(address).content.decode()


def test_a_lesion_is_decided_once(patient, site):
    one = member(Role.PANEL, site)
    fill(patient, "truth_of_lesion", TRUTH, one)
    with pytest.raises(Refused) as caught:
        fill(patient, "truth_of_lesion", TRUTH | {"lesion": " l1", "truth": "ABSENT"}, one)
    assert caught.value.code == "entered-already"
    fill(patient, "truth_of_lesion", TRUTH | {"lesion": "L2"}, one)


def test_each_member_signs_once_and_a_correction_ends_the_signatures(patient, site):
    first, second = member(Role.PANEL, site), member(Role.PANEL, site)
    entry = fill(patient, "truth_of_lesion", TRUTH, first)
    sign(entry, first)
    sign(entry, second)
    (decision,) = selectors.case_of(patient).decisions
    assert set(decision.signed_by) == {str(first), str(second)}
    with pytest.raises(Refused) as caught:
        sign(entry, second)
    assert caught.value.code == "signed-already"
    form_entries.correct(
        entry, given={"truth": "ABSENT"}, revision=1, reason="read again", by=first
    )
    (decision,) = selectors.case_of(patient).decisions
    assert decision.signed_by == ()


def test_what_changes_after_the_panel_was_told_is_named(patient, site):
    one, manager = member(Role.PANEL, site), member(Role.DATA_MANAGER, site)
    entry = fill(patient, "truth_of_lesion", TRUTH, one)
    with pytest.raises(Refused) as caught:
        panel.unblind(patient, reason="end of the trial", by=manager)
    assert caught.value.code == "not-decided"
    sign(entry, one)
    panel.unblind(patient, reason="end of the trial", by=manager)
    assert FormEntry.objects.get(pk=entry.pk).changed_unblinded_at is None
    form_entries.correct(entry, given={"truth": "ABSENT"}, revision=1, reason="read again", by=one)
    assert FormEntry.objects.get(pk=entry.pk).changed_unblinded_at is not None
    (found,) = Deviation.objects.filter(rule=panel.CHANGED)
    assert "after it was told of the index test" in found.text


def test_the_api_lists_what_the_panel_decides_and_shows_it_the_reference_standard(
    client, patient, coordinator, site
):
    fill(patient, "histology", BIOPSY, coordinator)
    one, manager = member(Role.PANEL, site), member(Role.DATA_MANAGER, site)
    client.force_login(coordinator)
    assert client.get(reverse("api_panel_patients")).status_code == 403
    client.force_login(one)
    begin = {"form": "truth_of_lesion"}
    opened = client.post(
        reverse("api_forms", args=[patient.pk]), begin, content_type="application/json"
    ).json()
    given = {"values": TRUTH, "revision": 1}
    address = reverse("api_form_complete", args=[opened["entry"]["id"]])
    assert client.post(address, given, content_type="application/json").status_code == 200
    (listed,) = client.get(reverse("api_panel_patients")).json()["results"]
    assert (listed["patient"], listed["decided"], listed["unblinded_at"]) == (str(patient), 1, None)
    case = client.get(reverse("api_panel_patient", args=[patient.pk])).json()
    assert {"label": "Result", "value": "Disease of the trial", "rule": ""} in case["evidence"][0][
        "items"
    ]
    assert {line["form"] for line in case["forms"]} == {"truth_of_patient", "truth_of_lesion"}
    sign(FormEntry.objects.get(pk=opened["entry"]["id"]), one)
    case = client.get(reverse("api_panel_patient", args=[patient.pk])).json()
    assert [decision["signed_by"] for decision in case["decisions"]] == [[str(one)]]
    unblind = reverse("api_panel_unblind", args=[patient.pk])
    told = {"reason": "end of the trial"}
    assert client.post(unblind, told, content_type="application/json").status_code == 403
    client.force_login(manager)
    made = client.post(unblind, told, content_type="application/json").json()
    assert (made["patient"], made["unblinded_by"]) == (patient.pk, str(manager))


def test_the_list_of_the_panel_costs_the_same_for_one_patient_and_for_three(
    client, patient, coordinator, site
):
    client.force_login(member(Role.PANEL, site))

    def cost():
        with CaptureQueriesContext(connection) as found:
            assert client.get(reverse("api_panel_patients")).status_code == 200
        return len(found)

    cost()
    before = cost()
    for _ in range(2):
        factories.make_enrolled(site, by=coordinator)
    assert cost() == before


@pytest.fixture
def asked(patient, site):
    """A decision that a data manager asked about, corrected since with words that tell it."""
    on_panel, manager = member(Role.PANEL, site), member(Role.DATA_MANAGER, site)
    entry = fill(patient, "truth_of_lesion", TRUTH, on_panel)
    value = entry.values.get(item="truth")
    query = queries.open_query(value, text="Why PRESENT, against the biopsy?", by=manager)
    given = {"truth": "ABSENT"}
    form_entries.correct(entry, given=given, revision=1, reason="ABSENT on review", by=on_panel)
    return entry, query, on_panel, manager


TELLING = ("PRESENT", "ABSENT")


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.INVESTIGATOR])
def test_questions_about_a_decision_name_it_and_say_nothing_to_the_site(
    client, patient, site, asked, role
):
    _, query, _, manager = asked
    user = factories.make_user(role, trial=site.trial, site=site)
    client.force_login(user)
    for address in (reverse("queries"), reverse("patient", args=[patient.pk])):
        page = client.get(address).content.decode()
        assert panel_veil.VEIL in page
        assert not any(word in page for word in TELLING)
        assert reverse("query", args=[query.pk]) not in page
    listed = client.get(reverse("api_queries")).json()["results"]
    assert [one["text"] for one in listed] == [panel_veil.VEIL]
    assert [one["text"] for one in listed[0]["messages"]] == [panel_veil.VEIL]
    for name in ("query", "api_query"):
        assert client.get(reverse(name, args=[query.pk])).status_code == 403
    with pytest.raises(Forbidden):
        queries.answer(query, text="as the source says", by=user)
    client.force_login(manager)
    assert "Why PRESENT" in client.get(reverse("queries")).content.decode()
    assert "Why PRESENT" in client.get(reverse("query", args=[query.pk])).content.decode()


def test_the_panel_answers_what_is_asked_about_its_decision_and_nothing_else(
    client, patient, coordinator, site, asked
):
    entry, query, on_panel, manager = asked
    client.force_login(on_panel)
    address = reverse("query", args=[query.pk])
    assert address in client.get(reverse("form_entry", args=[entry.pk])).content.decode()
    assert "Answer" in client.get(address).content.decode()
    client.post(reverse("query_answer", args=[query.pk]), {"answer-text": "x", "text": "By MRI"})
    query.refresh_from_db()
    assert query.state == "answered"
    other = fill(patient, "histology", BIOPSY, coordinator)
    about = queries.open_query(other.values.first(), text="Which spleen?", by=manager)
    assert client.get(reverse("query", args=[about.pk])).status_code == 403
    assert client.get(reverse("queries")).status_code == 403


def test_the_trail_of_a_decision_names_the_entry_and_not_what_was_decided(
    client, patient, site, asked
):
    _, _, _, manager = asked
    leader = factories.make_user(Role.INVESTIGATOR, trial=site.trial, site=site)
    client.force_login(leader)
    shown = client.get(reverse("audit"), {"patient": patient.pk}).content.decode()
    assert panel_veil.VEIL in shown
    assert not any(word in shown for word in TELLING)
    assert "Item value" in shown
    rows = client.get(reverse("api_audit"), {"patient": patient.pk, "page_size": 200}).json()
    events = rows["results"]
    values = [one for one in events if one["table"] == "trials_itemvalue"]
    assert {one["after"]["value"] for one in values if "value" in one["after"]} == {panel_veil.VEIL}
    assert not any(word in json.dumps(events) for word in TELLING)
    client.force_login(manager)
    shown = client.get(reverse("audit"), {"patient": patient.pk}).content.decode()
    assert "ABSENT on review" in shown
    assert panel_veil.VEIL not in shown


def test_a_trail_without_a_decision_asks_the_database_nothing_for_the_veil(
    patient, coordinator, site, django_assert_num_queries
):
    rows = list(AuditEvent.objects.filter(table="trials_patient"))
    assert rows
    leader = factories.make_user(Role.INVESTIGATOR, trial=site.trial, site=site)
    with django_assert_num_queries(0):
        assert panel_veil.events(rows, leader) == rows


def test_a_signature_tells_the_site_nothing_of_the_decision(patient, site, asked):
    entry, _, _, manager = asked
    leader = factories.make_user(Role.INVESTIGATOR, trial=site.trial, site=site)
    signed = AuditEvent(
        table="trials_signature",
        row="0",
        trial=site.trial_id,
        patient=patient.pk,
        after={"content": {"values": {"truth": ["ABSENT", "", ""]}}},
    )
    with factories.framed():
        made = Signature.objects.create(
            subject_table="trials_formentry",
            subject_pk=entry.pk,
            trial=site.trial,
            signed_by=manager,
            meaning=Signature.Meaning.FORM,
            content={},
            content_sha256="0" * 64,
        )
    signed.row = str(made.pk)
    (shown,) = panel_veil.events([signed], leader)
    assert shown.after == {"content": panel_veil.VEIL}


@pytest.fixture
def deviating(patient, site):
    """A decision about which a person wrote down what tells it, as a deviation."""
    entry = fill(patient, "truth_of_lesion", TRUTH | {"lesion": "L2"}, member(Role.PANEL, site))
    text = "PRESENT was decided with the report of the PET on the table."
    return deviations.record(entry, text=text, by=member(Role.DATA_MANAGER, site))


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.INVESTIGATOR])
def test_a_deviation_about_a_decision_says_nothing_of_it_to_the_site(
    client, patient, site, deviating, role
):
    user = factories.make_user(role, trial=site.trial, site=site)
    client.force_login(user)
    for address in (reverse("deviations"), reverse("patient", args=[patient.pk])):
        page = client.get(address).content.decode()
        assert panel_veil.VEIL in page
        assert "PRESENT" not in page
        assert reverse("deviation", args=[deviating.pk]) not in page
    (listed,) = client.get(reverse("api_deviations")).json()["results"]
    assert (listed["text"], listed["values"]) == (panel_veil.VEIL, {})
    for name in ("deviation", "api_deviation"):
        assert client.get(reverse(name, args=[deviating.pk])).status_code == 403
    with pytest.raises(Forbidden):
        deviations.acknowledge(deviating, text="seen", by=user)


def test_a_deviation_about_a_decision_is_acknowledged_by_the_panel_and_closed_by_who_sees_it(
    client, site, deviating
):
    on_panel, manager = member(Role.PANEL, site), member(Role.DATA_MANAGER, site)
    client.force_login(on_panel)
    address = reverse("deviation", args=[deviating.pk])
    decision = reverse("form_entry", args=[deviating.subject_pk])
    assert address in client.get(decision).content.decode()
    assert "PRESENT was decided" in client.get(address).content.decode()
    deviations.acknowledge(deviating, text="The report is taken away.", by=on_panel)
    deviations.close(deviating, text="The panel decides again.", by=manager)
    deviating.refresh_from_db()
    assert deviating.state == Deviation.State.CLOSED


def test_what_waits_counts_nothing_that_is_kept_from_who_reads_it(client, site, asked, deviating):
    def counts(role, at):
        user = factories.make_user(role, trial=site.trial, site=at)
        return {card["title"]: card["count"] for card in dashboard.cards_for(user)}

    assert counts(Role.COORDINATOR, site)["Queries to answer"] == 0
    assert counts(Role.INVESTIGATOR, site)["Deviations to acknowledge"] == 0
    of_manager = counts(Role.DATA_MANAGER, None)
    assert (of_manager["Open queries"], of_manager["Deviations drafted"]) == (1, 1)


def test_who_closes_queries_and_deviations_may_see_what_the_panel_decides():
    for permission in ("query.close", "deviation.close"):
        assert roles.roles_with(permission) <= roles.roles_with("panel.view")
