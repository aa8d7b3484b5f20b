"""DICOM nodes: who may register, change and retire them, and whom they let in."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from imaging import dicom_nodes
from imaging.models import DicomContact, DicomNode
from imaging.services import nodes
from tests import factories
from trials.models import AuditEvent
from trials.roles import Role
from trials.services.errors import Forbidden, Invalid, Refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(pet_site):
    return pet_site


@pytest.fixture
def technologist(site):
    return factories.make_user(Role.TECHNOLOGIST, trial=site.trial, site=site)


@pytest.fixture
def node(site, technologist):
    return nodes.register(
        site,
        called_ae_title=" TRIAL1 ",
        calling_ae_titles=["PETCT1", "PETCT1"],
        allowed_addresses=["10.1.2.3", "10.2.0.0/16"],
        by=technologist,
    )


def admitted(node, calling="PETCT1", address="10.1.2.3"):
    return nodes.admit(called=node.called_ae_title, calling=calling, address=address)


def test_a_node_says_who_may_call_from_where(node, site):
    assert node.called_ae_title == "TRIAL1"
    assert node.calling_ae_titles == ["PETCT1"]
    assert admitted(node) == (site, None)
    assert admitted(node, address="10.2.9.9") == (site, None)
    assert admitted(node, calling="OTHER") == (None, dicom_nodes.CALLING_UNKNOWN)
    assert admitted(node, address="10.3.0.1") == (None, dicom_nodes.ADDRESS_UNKNOWN)
    contact = DicomContact.objects.get(node=node)
    assert (contact.address, contact.refusal) == (
        "10.3.0.1",
        dicom_nodes.ADDRESS_UNKNOWN.message,
    )


def test_a_node_that_names_no_address_is_reached_from_this_machine_alone(site, technologist):
    node = nodes.register(site, called_ae_title="TRIAL2", by=technologist)
    assert admitted(node, calling="ANY", address="127.0.0.1") == (site, None)
    assert admitted(node, calling="ANY", address="::1") == (site, None)
    assert admitted(node, address="10.0.0.1")[1] == dicom_nodes.ADDRESS_UNKNOWN


def test_an_unknown_name_is_refused_and_names_no_site():
    found = nodes.admit(called="NOBODY", calling="PETCT1", address="127.0.0.1")
    assert found == (None, dicom_nodes.CALLED_UNKNOWN)


def test_changed_and_retired_with_a_reason_in_the_trail(node, technologist):
    given = {"calling_ae_titles": [], "allowed_addresses": ["10.9.0.0/16"]}
    with pytest.raises(Invalid):
        nodes.change(node, reason="", by=technologist, **given)
    nodes.change(node, reason="a new network", by=technologist, **given)
    assert admitted(node, calling="OTHER", address="10.9.1.1")[1] is None
    nodes.retire(node, reason="sold", by=technologist)
    assert admitted(node, address="10.9.1.1") == (None, dicom_nodes.CALLED_RETIRED)
    with pytest.raises(Refused, match="retired"):
        nodes.retire(node, reason="sold", by=technologist)
    events = AuditEvent.objects.filter(action__startswith="node.").order_by("pk")
    found = [(one.action, one.reason) for one in events]
    assert found == [
        ("node.registered", "TRIAL1"),
        ("node.changed", "a new network"),
        ("node.retired", "sold"),
    ]


def test_a_name_is_given_once_in_all_trials_and_for_ever(node, technologist):
    nodes.retire(node, reason="sold", by=technologist)
    other = factories.make_site(factories.make_trial())
    by = factories.make_user(Role.COORDINATOR, trial=other.trial, site=other)
    with pytest.raises(Refused, match="taken"):
        nodes.register(other, called_ae_title="TRIAL1", by=by)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("called_ae_title", {"called_ae_title": "A" * 17}),
        ("called_ae_title", {"called_ae_title": "A\\B"}),
        ("called_ae_title", {"called_ae_title": "  "}),
        ("calling_ae_titles", {"calling_ae_titles": ["É"]}),
        ("allowed_addresses", {"allowed_addresses": ["10.1.2.3/8"]}),
        ("allowed_addresses", {"allowed_addresses": ["scanner.example.org"]}),
        ("allowed_addresses", {"allowed_addresses": [f"10.0.0.{n}" for n in range(51)]}),
    ],
)
def test_what_is_no_title_and_no_network_is_named(site, technologist, field, given):
    with pytest.raises(Invalid) as refused:
        nodes.register(site, by=technologist, **{"called_ae_title": "TRIAL3"} | given)
    assert refused.value.field == field


def test_only_people_of_the_site_register(site):
    stranger = factories.make_user(Role.READER, trial=site.trial)
    with pytest.raises(Forbidden):
        nodes.register(site, called_ae_title="TRIAL4", by=stranger)


def test_the_page_lists_nodes_and_its_forms_change_them(site, node, technologist):
    admitted(node, calling="OTHER")
    client = Client()
    client.force_login(technologist)
    page = client.get(reverse("site_nodes", args=[site.pk])).content.decode()
    import re

    print(re.sub(r"<[^>]*>|\n\s*\n", "", page)[-1500:])
    assert "TRIAL1" in page
    assert "10.2.0.0/16" in page
    assert "The calling AE title is not among those of the node." in page
    change = reverse("site_node_change", args=[node.pk])
    shown = client.get(change).content.decode()
    assert "10.1.2.3/32\n10.2.0.0/16" in shown
    wrong = client.post(change, {"allowed_addresses": "nowhere", "reason": "moved"})
    assert wrong.status_code == 422
    assert "is no address" in wrong.content.decode()
    sent = {"calling_ae_titles": "PETCT1\r\n PETCT2 ", "reason": "a second scanner"}
    assert client.post(change, sent).status_code == 302
    row = DicomNode.objects.get(pk=node.pk)
    assert (row.calling_ae_titles, row.allowed_addresses) == (["PETCT1", "PETCT2"], [])
