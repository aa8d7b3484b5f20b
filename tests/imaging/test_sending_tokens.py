"""Tokens of machines: for sending to one site, shown once, ended by a day or by a person."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from rest_framework.test import APIClient

from imaging.models import Transmittal
from tests import factories
from tests.imaging.conftest import pet_dataset
from tests.imaging.test_intake import a_slice
from tests.imaging.test_stow import TYPE, body
from tests.test_api import logged_in
from trials.models import AuditEvent, SendingToken, Site
from trials.roles import Role
from trials.services import sending_tokens
from trials.services.errors import Forbidden, Invalid, Refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def site():
    return factories.make_site(factories.make_fdg_trial())


@pytest.fixture
def data_manager(site):
    return factories.make_user(Role.DATA_MANAGER, trial=site.trial)


@pytest.fixture
def issued(site, data_manager):
    return sending_tokens.issue(
        site, name="PACS 2", expires_on=site.today() + timedelta(days=365), by=data_manager
    )


def machine(token: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def send(token: str, address: str = "/dicom-web/studies"):
    return machine(token).generic(
        "POST", address, body(a_slice(pet_dataset(), 1)), content_type=TYPE
    )


def test_a_machine_sends_to_its_site_in_the_name_of_the_system(storage, issued, site):
    token, _ = issued
    for address in ("/dicom-web/studies", f"/dicom-web/sites/{site.pk}/studies"):
        response = send(token, address)
        assert response.status_code == 200, response.content
    held = Transmittal.objects.get(site=site)
    assert (held.sender, held.source, held.scheduled_scan) == ("machine PACS 2", "stow", None)
    assert held.sent_by.is_system


ELSEWHERE = [
    ("GET", "/dicom-web/studies"),
    ("GET", "/dicom-web/studies/1.2/metadata"),
    ("GET", "/api/v1/me/"),
    ("GET", "/api/v1/patients/"),
    ("GET", "/api/v1/schema/?format=json"),
    ("POST", "/api/v1/trials/files/"),
    ("DELETE", "/api/v1/tokens/current/"),
    ("POST", "/dicom-web/scans/1/studies"),
]


@pytest.mark.requirement("R34")
@pytest.mark.parametrize(("method", "address"), ELSEWHERE)
def test_anything_else_refuses_it_by_name(issued, site, method, address):
    response = machine(issued[0]).generic(method, address, b"", content_type=TYPE)
    assert (response.status_code, response.json()["code"]) == (403, "sending-token")
    assert f"/dicom-web/sites/{site.pk}/studies" in response.json()["message"]


def test_a_page_does_not_know_it(issued):
    client = Client(headers={"Authorization": f"Bearer {issued[0]}"})
    assert client.get("/patients/").status_code == 302


def test_another_site_refuses_it(issued, site):
    other = factories.make_site(site.trial)
    response = send(issued[0], f"/dicom-web/sites/{other.pk}/studies")
    assert (response.status_code, response.json()["code"]) == (403, "sending-token")
    assert not Transmittal.objects.filter(site=other).exists()


def test_a_closed_site_takes_nothing_from_its_machines(issued, site):
    with factories.framed():
        site.state = Site.State.CLOSED
        site.save(update_fields=["state"])
    assert send(issued[0]).status_code == 409
    assert not Transmittal.objects.filter(site=site).exists()


@pytest.mark.parametrize("change", ["expired", "revoked", "forged"])
def test_a_token_that_is_not_in_force_sends_nothing(issued, site, data_manager, change):
    token, row = issued
    if change == "expired":
        with factories.framed():
            SendingToken.objects.filter(pk=row.pk).update(
                expires_on=site.today() - timedelta(days=1)
            )
    elif change == "revoked":
        sending_tokens.revoke(row, reason="the PACS is gone", by=data_manager)
    response = send(token + "x" if change == "forged" else token)
    assert (response.status_code, response.json()["code"]) == (401, "authentication-failed")
    assert not Transmittal.objects.filter(site=site).exists()


def test_only_its_digest_is_kept_and_the_trail_has_neither(issued):
    token, row = issued
    assert token not in str(SendingToken.objects.filter(pk=row.pk).values())
    event = AuditEvent.objects.get(table="trials_sendingtoken", row=str(row.pk))
    assert (event.action, event.reason) == ("sending_token.issued", "PACS 2")
    assert row.digest not in str(event.after)


@pytest.mark.parametrize("days", [-1, 367])
def test_it_ends_within_a_year(site, data_manager, days):
    with pytest.raises(Invalid) as refusal:
        sending_tokens.issue(
            site, name="PACS", expires_on=site.today() + timedelta(days=days), by=data_manager
        )
    assert refusal.value.field == "expires_on"


def test_a_machine_holds_one_at_a_time(issued, site, data_manager):
    with pytest.raises(Refused, match="revoke it first"):
        sending_tokens.issue(site, name=" PACS 2", expires_on=site.today(), by=data_manager)
    sending_tokens.revoke(issued[1], reason="renewed", by=data_manager)
    again, _ = sending_tokens.issue(site, name="PACS 2", expires_on=site.today(), by=data_manager)
    assert again != issued[0]
    with pytest.raises(Refused, match="revoked already"):
        sending_tokens.revoke(issued[1], reason="again", by=data_manager)


def test_who_sends_images_makes_no_token(site):
    coordinator = factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)
    with pytest.raises(Forbidden):
        sending_tokens.issue(site, name="PACS", expires_on=site.today(), by=coordinator)


def test_the_page_shows_a_new_token_once(client, site, data_manager):
    client.force_login(data_manager)
    address = f"/sites/{site.pk}/sending-tokens/"
    given = {"name": "PACS 2", "expires_on": site.today().isoformat()}
    shown = client.post(f"{address}new/", given)
    token = shown.context["token"]
    assert token in shown.content.decode()
    assert shown["Cache-Control"] == "no-store"
    assert sending_tokens.in_force(token).name == "PACS 2"
    assert token not in client.get(address).content.decode()
    again = client.post(f"{address}new/", given)
    assert (again.status_code, "revoke it first" in again.content.decode()) == (409, True)


def test_the_list_costs_the_same_however_many_there_are(
    site, data_manager, django_assert_num_queries
):
    api = logged_in(data_manager)
    for count in (1, 3):
        while site.sending_tokens.count() < count:
            name = f"PACS {site.sending_tokens.count()}"
            sending_tokens.issue(site, name=name, expires_on=site.today(), by=data_manager)
        with django_assert_num_queries(5):
            found = api.get(f"/api/v1/sites/{site.pk}/sending-tokens/").json()["results"]
        assert [one["is_in_force"] for one in found] == [True] * count
