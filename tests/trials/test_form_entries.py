"""Forms filled in: drafts, completion, corrections, conflicts, what is asked and said of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests import factories
from trials.kleene import Truth
from trials.models import AuditEvent, Deviation, FormEntry, ItemValue, Query
from trials.roles import Role
from trials.selectors import form_entries as selectors
from trials.services import form_entries, form_reviews, jobs, protocols, queries
from trials.services.errors import Forbidden, Invalid, Refused

pytestmark = pytest.mark.django_db
DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()
HISTORY = {"term": "Hypertension", "started_on": "2019", "is_ongoing": "yes", "is_treated": "no"}


def hours(number):
    return (timezone.now() + timedelta(hours=number)).isoformat(timespec="minutes")


def event(**changes):
    return {
        "term": "Rash",
        "started_at": "2026-03",
        "grade": "3",
        "is_serious": "yes",
        "serious_because": ["AESHOSP"],
        "known_at": hours(-30),
        "related_tracer": "POSSIBLY RELATED",
        "related_procedure": {"missing": "NK"},
        "action": "DOSE NOT CHANGED",
        "is_treated": "no",
        "outcome": "RECOVERING/RESOLVING",
    } | changes


@pytest.fixture
def site():
    return factories.make_site(protocols.load_trial(DEMO, by=jobs.system_user()).trial)


def member(role, site):
    user = factories.make_user(role, trial=site.trial, site=site)
    factories.delegate(user, site)
    return user


@pytest.fixture
def coordinator(site):
    return member(Role.COORDINATOR, site)


@pytest.fixture
def patient(site, coordinator):
    return factories.make_enrolled(site, by=coordinator)


@pytest.fixture
def filled(patient, coordinator):
    def make(form="medical_history", visit="", **given):
        entry = form_entries.begin(patient, form=form, visit=visit, by=coordinator)
        return form_entries.complete(entry, given=given, revision=1, by=coordinator)

    return make


def correct(entry, by, reason="as the source says", revision=None, **given):
    revision = revision or FormEntry.objects.get(pk=entry.pk).revision
    return form_entries.correct(entry, given=given, revision=revision, reason=reason, by=by)


def field(entry, name):
    opened = selectors.opened(selectors.rows().get(pk=entry.pk))
    return next(one for one in opened.fields if one.item.identifier == name)


def test_a_form_is_drafted_without_a_trail_and_completed_with_one(patient, coordinator):
    entry = form_entries.begin(patient, form="medical_history", by=coordinator)
    before = AuditEvent.objects.count()
    draft = form_entries.save_draft(entry, given={"term": "Hyp"}, revision=1, by=coordinator)
    assert (draft.given, draft.revision) == ({"term": "Hyp"}, 2)
    assert AuditEvent.objects.count() == before
    done = form_entries.complete(entry, given=HISTORY, revision=2, by=coordinator)
    assert done.state == "complete"
    kept = dict(done.values.values_list("item", "value"))
    expected = {"term": "Hypertension", "started_on": "2019", "is_ongoing": True}
    assert kept == expected | {"is_treated": False}
    written = AuditEvent.objects.filter(table="trials_itemvalue", action="form.completed")
    assert {one.actor_name for one in written} == {str(coordinator)}
    assert written.count() == 4


def test_nothing_is_completed_that_is_not_right(patient, coordinator):
    entry = form_entries.begin(patient, form="medical_history", by=coordinator)
    given = HISTORY | {"started_on": "19", "is_treated": None}
    with pytest.raises(form_entries.WrongItems) as caught:
        form_entries.complete(entry, given=given, revision=1, by=coordinator)
    assert list(caught.value.errors) == ["started_on", "is_treated"]
    assert not ItemValue.objects.exists()


def test_who_saves_over_what_they_did_not_see_is_told_and_loses_nothing(site, patient, coordinator):
    colleague = member(Role.COORDINATOR, site)
    entry = form_entries.begin(patient, form="medical_history", by=coordinator)
    form_entries.save_draft(entry, given={"term": "A"}, revision=1, by=coordinator)
    with pytest.raises(form_entries.Overtaken) as caught:
        form_entries.save_draft(entry, given={"term": "B"}, revision=1, by=colleague)
    assert caught.value.now == {"term": "A"}
    assert str(coordinator) in caught.value.message
    # The same words again, as after an answer that was lost, are no conflict.
    again = form_entries.save_draft(entry, given={"term": "A"}, revision=1, by=coordinator)
    assert again.revision == 2
    with pytest.raises(form_entries.Overtaken):
        form_entries.complete(entry, given=HISTORY, revision=1, by=colleague)


def test_a_page_that_was_overtaken_shows_both(client, site, patient, coordinator):
    entry = form_entries.begin(patient, form="medical_history", by=coordinator)
    form_entries.save_draft(entry, given={"term": "Gout"}, revision=1, by=coordinator)
    client.force_login(member(Role.COORDINATOR, site))
    address = reverse("form_entry", args=[entry.pk])
    sent = {"form-revision": "1", "term": "Asthma", "draft": "1"}
    page = client.post(address, sent)
    assert page.status_code == 409
    text = page.content.decode()
    assert "Asthma</textarea>" in text
    assert "Saved by the other</span> Gout" in text
    assert 'name="form-revision" value="2"' in text
    # Kept by itself, it would be saved over the other's before anybody compared.
    assert "data-draft" not in text
    assert client.post(address, sent | {"form-revision": "2"}).status_code == 302
    assert FormEntry.objects.get(pk=entry.pk).draft.given == {"term": "Asthma"}


def overtaken(client, site, entry, **sent):
    """The page of a colleague who typed `sent` over the first draft."""
    client.force_login(member(Role.COORDINATOR, site))
    address = reverse("form_entry", args=[entry.pk])
    page = client.post(address, {"form-revision": "1", "draft": "1"} | sent)
    assert page.status_code == 409
    return page.content.decode()


def test_a_page_that_was_overtaken_compares_why_values_are_missing(
    client, site, patient, coordinator
):
    entry = form_entries.begin(patient, form="vital_signs", visit="PET1", by=coordinator)
    theirs = {"before_pulse": {"missing": "ND", "reason": "cuff broken"}, "after_pulse": "64"}
    form_entries.save_draft(entry, given=theirs, revision=1, by=coordinator)
    mine = {"before_pulse-missing": "ND", "before_pulse-reason": "no cuff", "after_pulse": "64"}
    text = overtaken(client, site, entry, **mine)
    assert "Saved by the other</span> Not done: cuff broken" in text
    assert text.count("Saved by the other") == 1


def test_a_page_that_was_overtaken_by_an_emptied_one_goes_on_from_it(
    client, site, patient, coordinator
):
    entry = form_entries.begin(patient, form="medical_history", by=coordinator)
    form_entries.save_draft(entry, given={"term": "Gout"}, revision=1, by=coordinator)
    form_entries.save_draft(entry, given={}, revision=2, by=coordinator)
    text = overtaken(client, site, entry, term="Asthma")
    assert "Saved by the other</span> empty" in text
    assert 'name="form-revision" value="3"' in text


def test_a_correction_keeps_the_row_its_history_and_what_was_asked(site, filled, coordinator):
    entry = filled(**HISTORY)
    monitor = member(Role.MONITOR, site)
    row = entry.values.get(item="term")
    query = queries.open_query(row, text="Since when?", by=monitor)
    form_reviews.verify(entry, seen={row: form_reviews.digest_of(row)}, by=monitor)
    assert field(entry, "term").is_verified
    correct(entry, coordinator, term="Arterial hypertension", reason="spelt out")
    after = field(entry, "term")
    assert [one.shown for one in after.history] == ["Hypertension", "Arterial hypertension"]
    assert after.history[1].reason == "spelt out"
    assert after.queries == (query,)
    assert not after.is_verified
    assert field(entry, "started_on").shown == "2019"
    with pytest.raises(form_entries.Overtaken):
        correct(entry, coordinator, revision=1, term="Gout")
    with pytest.raises(Refused, match="nothing was changed"):
        correct(entry, coordinator, term="Arterial hypertension")
    with pytest.raises(Invalid, match="Say why"):
        correct(entry, coordinator, reason=" ", term="Gout")


def test_a_correction_that_unasks_an_item_empties_it_and_keeps_it_readable(filled, coordinator):
    entry = filled(**HISTORY)
    with pytest.raises(form_entries.WrongItems):
        correct(entry, coordinator, is_ongoing="no", ended_on="2021")
    correct(entry, coordinator, is_ongoing="no", ended_on="2021", is_treated=None)
    assert [one.shown for one in field(entry, "is_treated").history] == ["No", "emptied"]


def test_a_signature_stands_while_the_form_says_what_was_signed(site, filled, coordinator):
    entry, leader = filled(**HISTORY), member(Role.INVESTIGATOR, site)
    form_reviews.sign(entry, revision=1, password=factories.PASSWORD, by=leader)
    assert form_reviews.signature_in_force(entry)
    correct(entry, coordinator, started_on="2020")
    assert form_reviews.signature_in_force(FormEntry.objects.get(pk=entry.pk)) is None
    with pytest.raises(Refused, match="corrected meanwhile"):
        form_reviews.sign(entry, revision=1, password=factories.PASSWORD, by=leader)


def test_an_unusual_value_is_kept_and_asked_about_until_it_is_corrected(filled, coordinator):
    given = {"consent_day_age": "44", "height_cm": "214", "weight_kg": "70"}
    entry = filled("demographics", "SCREEN", **given)
    query = Query.objects.get(rule=form_entries.UNUSUAL)
    assert query.text.startswith("Height 214.0 cm is not 140 to 210 cm")
    correct(entry, coordinator, height_cm="174")
    query.refresh_from_db()
    assert query.state == "closed"


def test_an_unusual_value_that_is_taken_away_is_not_said_to_be_within_limits(filled, coordinator):
    given = {"consent_day_age": "44", "height_cm": "214", "weight_kg": "70"}
    entry = filled("demographics", "SCREEN", **given)
    correct(entry, coordinator, height_cm={"missing": "NK"})
    query = Query.objects.get(rule=form_entries.UNUSUAL)
    assert query.state == "closed"
    assert query.messages.last().text == "The value was taken away."


def test_completing_a_form_asks_the_database_nothing_for_each_item(patient, coordinator):
    def cost(**given):
        entry = form_entries.begin(patient, form="concomitant_medication", by=coordinator)
        with CaptureQueriesContext(connection) as found:
            form_entries.complete(entry, given=given, revision=1, by=coordinator)
        return len(found)

    few = {"name": "Metformin", "class": "NONE", "started_on": "2019", "is_ongoing": "yes"}
    assert cost(**few) == cost(**few, dose="500 mg", indication="Diabetes")


def test_a_serious_event_counts_down_and_a_late_report_is_a_deviation(filled, coordinator):
    entry = filled("adverse_events", **event())
    assert (entry.report_due_at - timezone.now()).total_seconds() < -5 * 3600
    query = Query.objects.get(rule=form_entries.REPORT_DUE)
    assert query.state == "open"
    assert not Deviation.objects.exists()
    entry = correct(entry, coordinator, reported_at=hours(-1))
    assert entry.report_due_at is None
    query.refresh_from_db()
    assert query.state == "closed"
    assert "due by" in Deviation.objects.get(rule=form_entries.REPORT_LATE).text


@pytest.mark.parametrize(
    ("known", "due"),
    [
        # Clocks in Berlin went forward on 30 March 2025 and back on 26 October 2025.
        ("2025-03-29T12:00+01:00", "2025-03-30T11:00+00:00"),
        ("2025-10-25T12:00+02:00", "2025-10-26T10:00+00:00"),
    ],
)
def test_hours_are_counted_across_a_change_of_clocks(patient, filled, known, due):
    with factories.framed():
        patient.site.time_zone = "Europe/Berlin"
        patient.site.save()
    entry = filled("adverse_events", **event(started_at="2025", known_at=known))
    assert entry.report_due_at == datetime.fromisoformat(due)


def test_an_event_that_is_not_serious_counts_down_to_nothing(filled):
    given = event(is_serious="no")
    del given["serious_because"], given["known_at"]
    assert filled("adverse_events", **given).report_due_at is None
    assert not Query.objects.exists()


def test_who_may_fill_in_a_form_is_delegated_to_at_the_site(site, patient, coordinator):
    other = member(Role.COORDINATOR, site)
    with factories.framed():
        other.delegations.filter(duty="record").update(ends_on="2026-01-01")
    with pytest.raises(Refused, match="not delegated to fill in case report forms"):
        form_entries.begin(patient, form="medical_history", by=other)
    for role in (Role.MONITOR, Role.READER, Role.STATISTICIAN):
        with pytest.raises(Forbidden):
            form_entries.begin(patient, form="medical_history", by=member(role, site))


@pytest.mark.parametrize(
    ("form", "visit", "error"),
    [("unknown", "", Invalid), ("demographics", "", Invalid), ("medical_history", "FU", Invalid)],
)
def test_a_form_is_begun_where_the_protocol_asks_it(patient, coordinator, form, visit, error):
    with pytest.raises(error):
        form_entries.begin(patient, form=form, visit=visit, by=coordinator)


def test_what_is_asked_of_women_is_not_asked_of_men(patient, coordinator):
    names = {line.form.identifier for line in selectors.lines_of(patient)}
    assert "childbearing" in names
    with factories.framed():
        patient.sex_at_birth = "M"
        patient.save()
    assert "childbearing" not in {line.form.identifier for line in selectors.lines_of(patient)}
    with pytest.raises(Refused, match="is not asked of"):
        form_entries.begin(patient, form="childbearing", by=coordinator)


def test_whom_forms_are_for_costs_the_same_however_many_ask(patient, coordinator):
    entry = form_entries.begin(patient, form="childbearing", by=coordinator)
    form = form_entries.form_of(entry)

    def cost(*forms):
        with CaptureQueriesContext(connection) as found:
            truths = form_entries.asked_of(forms, patient, now=timezone.now())
        assert set(truths.values()) == {Truth.YES}
        return len(found)

    other = replace(form, identifier="other")
    assert cost(form) == cost(form, other) > cost(replace(form, applies_to=None)) == 0


def test_one_that_is_begun_is_gone_on_with_and_a_repeating_one_is_added(patient, coordinator):
    def begun(form, visit=""):
        return form_entries.begin(patient, form=form, visit=visit, by=coordinator)

    assert begun("demographics", "SCREEN") == begun("demographics", "SCREEN")
    assert [begun("medical_history").repeat for _ in range(2)] == [1, 2]


def test_a_form_taken_back_stays_readable_and_may_be_begun_anew(patient, filled, coordinator):
    entry = filled("adverse_events", **event())
    form_entries.undo(entry, reason="of another patient", by=coordinator)
    assert Query.objects.get(rule=form_entries.REPORT_DUE).state == "closed"
    assert field(entry, "term").shown == "Rash"
    again = form_entries.begin(patient, form="adverse_events", by=coordinator)
    assert again.repeat == 1


def test_a_late_report_on_a_form_taken_back_is_no_deviation(filled, coordinator):
    entry = filled("adverse_events", **event(reported_at=hours(-1)))
    late = Deviation.objects.get(rule=form_entries.REPORT_LATE)
    assert late.state == "drafted"
    form_entries.undo(entry, reason="of another patient", by=coordinator)
    late.refresh_from_db()
    assert late.state == "closed"


def test_after_an_amendment_an_entry_keeps_what_it_was_asked(
    client, site, patient, filled, coordinator
):
    entry = filled(**HISTORY)
    changed = DEMO.replace('version: "1.0"', 'version: "2.0"', 1)
    changed = changed.replace("  - {form: medical_history}\n", "")
    version = protocols.load_trial(changed, by=jobs.system_user()).version
    client.force_login(member(Role.DATA_MANAGER, site))
    tried = client.get(reverse("amendment", args=[site.pk, version.pk])).content.decode()
    assert "Medical history is asked no more; what was entered stays." in tried
    factories.activate(version, site)
    patient = type(patient).objects.get(pk=patient.pk)
    (kept,) = [one for one in selectors.lines_of(patient) if one.form.identifier == entry.form]
    assert not kept.may_begin
    correct(entry, coordinator, term="Gout")
    assert field(entry, "term").shown == "Gout"


def test_pages_show_a_form_to_fill_in_and_to_read(client, patient, filled, coordinator):
    client.force_login(coordinator)
    listed = client.get(reverse("patient_forms", args=[patient.pk])).content.decode()
    assert "Vital signs around the injection" in listed
    begun = client.post(reverse("form_begin", args=[patient.pk, "adverse_events"]))
    page = client.get(begun.url).content.decode()
    assert "Only if Serious is yes" in page
    refused = client.post(begun.url, {"form-revision": "1", "term": "Rash", "complete": "1"})
    assert refused.status_code == 422
    assert 'href="#id_is_serious"' in refused.content.decode()
    read = client.get(reverse("form_entry", args=[filled(**HISTORY).pk])).content.decode()
    assert "Hypertension" in read
    due = client.get(reverse("form_entries") + "?state=due").content.decode()
    assert "None in this state" in due


def test_a_draft_is_kept_by_the_page_and_what_is_there_is_shown_again(client, patient, coordinator):
    client.force_login(coordinator)
    entry = form_entries.begin(patient, form="adverse_events", by=coordinator)
    address = reverse("form_draft", args=[entry.pk])
    sent = {"form-revision": "1", "known_at": "2026-03-02T0", "is_serious": "yes"}
    assert client.post(address, sent).json()["revision"] == 2
    assert client.post(address, sent | {"term": "Rash"}).status_code == 409
    page = client.get(reverse("form_entry", args=[entry.pk])).content.decode()
    assert 'value="2026-03-02T0"' in page


def test_the_forms_of_a_patient_cost_the_same_however_many(
    django_assert_max_num_queries, patient, filled
):
    def cost():
        row = type(patient).objects.select_related("trial", "site").get(pk=patient.pk)
        with django_assert_max_num_queries(9) as found:
            selectors.lines_of(row)
        return len(found)

    filled(**HISTORY)
    first = cost()
    for _ in range(2):
        filled(**HISTORY)
    assert cost() == first
