"""Monitoring visits: reported, corrected, signed; their action items followed up."""

from __future__ import annotations

from datetime import date

import pytest
from django.urls import reverse

from tests import factories
from trials.models import ActionItem, AuditEvent
from trials.roles import Role
from trials.services import monitoring
from trials.services.errors import Forbidden, Invalid, Refused

pytestmark = pytest.mark.django_db
HELD = date(2026, 3, 2)
REPORT = {
    "kind": "interim",
    "held_on": HELD,
    "attendees": "A. Monitor, CRA\nS. Nurse, coordinator",
    "summary": "Consents of 101-001 and 101-002.",
    "findings": "Consent of 101-002 lacks the time.",
}


@pytest.fixture
def site():
    return factories.make_site(factories.make_trial(), code="101")


@pytest.fixture
def monitor(site):
    return factories.make_user(Role.MONITOR, trial=site.trial, site=site)


@pytest.fixture
def coordinator(site):
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


@pytest.fixture
def visit(site, monitor):
    return monitoring.record(site, by=monitor, **REPORT)


@pytest.fixture
def item(visit, monitor):
    return monitoring.add_item(
        visit, text="Add the time", owner="S. Nurse", due_on=date(2026, 3, 16), by=monitor
    )


def sign(visit, by, **changes):
    visit.refresh_from_db()
    given = {"version": visit.version, "password": factories.PASSWORD} | changes
    return monitoring.sign(visit, by=by, **given)


def test_a_signature_stands_until_the_report_or_its_items_change(visit, item, monitor):
    signature = sign(visit, monitor)
    assert monitoring.signature_in_force(visit) == signature
    with pytest.raises(Refused, match="signed already"):
        sign(visit, monitor)
    monitoring.add_item(visit, text="And more", owner="S. Nurse", due_on=HELD, by=monitor)
    assert monitoring.signature_in_force(visit) is None


def test_what_was_not_shown_is_not_signed(client, visit, monitor):
    client.force_login(monitor)
    address = reverse("monitoring_visit_sign", args=[visit.pk])
    text = client.get(address).content.decode()
    assert REPORT["findings"] in text
    given = {"version": 1, "password": factories.PASSWORD}
    monitoring.add_item(visit, text="Unseen", owner="S. Nurse", due_on=HELD, by=monitor)
    refused = client.post(address, given).content.decode()
    assert "or an item raised: look again" in refused
    assert monitoring.signature_in_force(visit) is None
    assert "Unseen" in client.get(address).content.decode()


def test_what_becomes_of_an_item_leaves_the_signature_standing(visit, item, monitor, coordinator):
    sign(visit, monitor)
    monitoring.move_item(item, "done", text="Time added", by=coordinator)
    assert monitoring.move_item(item, "closed", text="Seen", by=monitor).state == "closed"
    assert monitoring.signature_in_force(visit) is not None
    assert [turn.state for turn in item.turns.all()] == ["done", "closed"]


def test_an_item_goes_only_where_it_can_from_where_it_is(item, monitor, coordinator):
    with pytest.raises(Refused, match="open already"):
        monitoring.move_item(item, "open", text="again", by=monitor)
    with pytest.raises(Forbidden):
        monitoring.move_item(item, "closed", text="done", by=coordinator)
    monitoring.move_item(item, "closed", text="seen", by=monitor)
    assert monitoring.move_item(item, "open", text="not yet", by=monitor).state == "open"


def test_a_correction_keeps_the_reason_and_is_refused_on_an_older_version(visit, monitor):
    corrected = monitoring.correct(
        visit, version=1, reason="wrong patient", by=monitor, **REPORT | {"findings": "None."}
    )
    assert (corrected.version, corrected.findings) == (2, "None.")
    event = AuditEvent.objects.get(action="monitoring_visit.corrected")
    assert event.reason == "wrong patient"
    assert event.before["findings"] == REPORT["findings"]
    with pytest.raises(Refused, match="corrected meanwhile"):
        monitoring.correct(visit, version=1, reason="again", by=monitor, **REPORT)


@pytest.mark.parametrize(
    ("field", "value"),
    [("held_on", date(2999, 1, 1)), ("kind", "lunch"), ("attendees", " "), ("summary", "-")],
)
def test_a_report_that_can_not_be_is_refused_by_field(site, monitor, field, value):
    with pytest.raises(Invalid) as refused:
        monitoring.record(site, by=monitor, **REPORT | {field: value})
    assert refused.value.field == field


def test_an_item_is_not_due_before_the_visit(visit, monitor):
    with pytest.raises(Invalid, match="before the visit on 2026-03-02"):
        monitoring.add_item(visit, text="File", owner="Nurse", due_on=date(2026, 3, 1), by=monitor)


def test_the_pages_take_a_visit_from_report_to_closed_item(client, site, monitor, coordinator):
    client.force_login(monitor)
    assert "No visit reported yet" in client.get(reverse("monitoring")).content.decode()
    answer = client.post(
        reverse("monitoring_visit_new", args=[site.pk]), REPORT | {"held_on": "2026-03-02"}
    )
    page = answer["Location"]
    assert "Not signed yet" in client.get(page).content.decode()
    client.post(f"{page}action-items/new/", {"text": "Add it", "owner": "Nurse", "due_on": HELD})
    item = ActionItem.objects.get()
    client.post(f"{page}sign/", {"version": 2, "password": factories.PASSWORD})
    assert "Follow-up letter (PDF)" in client.get(page).content.decode()
    client.force_login(coordinator)
    assert "Add it" in client.get(reverse("site", args=[site.pk])).content.decode()
    client.post(reverse("action_item_done", args=[item.pk]), {"text": "added"})
    client.force_login(monitor)
    client.post(reverse("action_item_close", args=[item.pk]), {"text": "seen"})
    item.refresh_from_db()
    assert item.state == "closed"
    listed = client.get(reverse("monitoring"), {"site": site.pk}).content.decode()
    assert "No action item is open." in listed


def test_a_list_of_visits_takes_a_fixed_number_of_queries(
    client, site, monitor, visit, item, django_assert_num_queries
):
    client.force_login(monitor)
    for address in (reverse("api_monitoring_visits"), reverse("monitoring")):
        client.get(address)
        with django_assert_num_queries(COUNTS[address]):
            client.get(address)
        for _ in range(2):
            other = monitoring.record(site, by=monitor, **REPORT)
            monitoring.add_item(other, text="File", owner="Nurse", due_on=HELD, by=monitor)
        with django_assert_num_queries(COUNTS[address]):
            client.get(address)


COUNTS = {"/api/v1/monitoring-visits/": 7, "/monitoring/": 8}
