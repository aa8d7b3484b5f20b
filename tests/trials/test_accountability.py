"""Accountability of tracers: the balance comes out, and nothing goes that is not there."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import IntegrityError, connection, transaction
from django.urls import reverse

from reporting.datasets import DATASETS
from reporting.selectors import rows
from tests import factories
from tests.factories import NOON
from trials import accountability as pure
from trials.accountability import Movement
from trials.models import TracerMovement
from trials.roles import Role
from trials.selectors import accountability as selectors
from trials.services import accountability, batches
from trials.services.errors import Invalid, Refused

HOUR = timedelta(hours=1)
# Half-life of gallium-68, ICRP 107: 67.71 min.
GA68 = 4062.6


def test_each_amount_decays_from_its_own_assay():
    # 800 MBq at noon are 400 one half-life later; 150 of them go then, and after another
    # half-life 125 are left.
    later = NOON + timedelta(seconds=GA68)
    moves = [
        Movement("received", 4, 800.0, NOON),
        Movement("dispensed", 1, 150.0, later),
    ]
    found = pure.balance(moves, at=later + timedelta(seconds=GA68), half_life=GA68)
    assert (found.on_hand, found.activity_mbq) == (3, pytest.approx(125.0))


def test_an_amount_that_nobody_assayed_makes_the_activity_unknown_not_the_count():
    moves = [Movement("ordered", 9), Movement("received", 2, 800.0, NOON), Movement("destroyed", 1)]
    found = pure.balance(moves, at=NOON, half_life=GA68)
    assert (found.on_hand, found.activity_mbq) == (1, None)
    # Of nothing nothing is left, whoever assayed it.
    moves.append(Movement("destroyed", 1))
    found = pure.balance(moves, at=NOON, half_life=GA68)
    assert (found.on_hand, found.activity_mbq) == (0, 0.0)
    assert dict(found.by_kind) == {
        "ordered": 9,
        "received": 2,
        "dispensed": 0,
        "returned": 0,
        "destroyed": 2,
    }


@pytest.fixture
def site(db):
    return factories.make_site(factories.make_trial())


@pytest.fixture
def technologist(site):
    return factories.make_user(Role.TECHNOLOGIST, trial=site.trial, site=site)


def make_batch(site, by, number="B1"):
    return batches.record(
        site,
        tracer="PTF",
        number=number,
        calibration_activity_mbq=800.0,
        calibrated_at=NOON,
        expires_at=NOON + 4 * HOUR,
        by=by,
    )


def move(site, by, kind, doses, **given):
    return accountability.record(site, kind=kind, doses=doses, happened_at=NOON, by=by, **given)


def test_the_way_of_a_batch_on_page_api_and_export(site, technologist, client):
    move(site, technologist, "ordered", 3, tracer="PTF", reference="PO 7")
    batch = make_batch(site, technologist)
    move(site, technologist, "received", 3, batch=batch, activity_mbq=800.0)
    move(site, technologist, "dispensed", 1, batch=batch, activity_mbq=150.0)
    move(site, technologist, "returned", 1, batch=batch)
    client.force_login(technologist)
    found = client.get(reverse("api_tracer_balance", args=[site.pk])).json()
    assert [(one["batch"], one["ordered"], one["received"], one["on_hand"]) for one in found] == [
        (None, 3, 3, 1),
        ("B1", 0, 3, 1),
    ]
    # A return that nobody assayed: the activity is not known.
    assert found[1]["activity_mbq"] is None
    page = client.get(reverse("site_accountability", args=[site.pk])).content.decode()
    for part in ("PO 7", "Returned to the supplier", "not assayed", "Differs<span"):
        assert part in page
    dataset = DATASETS["tracer_movements"]
    exported = [
        dict(zip(dataset.column_names, row, strict=True)) for row in rows.of(dataset, site.trial)
    ]
    assert [(one["kind"], one["batch"], one["doses"]) for one in exported] == [
        ("ordered", None, 3),
        ("received", "B1", 3),
        ("dispensed", "B1", 1),
        ("returned", "B1", 1),
    ]


def test_one_vial_is_dispensed_for_several_patients(site, technologist):
    batch = make_batch(site, technologist)
    move(site, technologist, "received", 4, batch=batch, activity_mbq=800.0, reference="1 vial")
    for _ in range(3):
        move(site, technologist, "dispensed", 1, batch=batch, activity_mbq=150.0)
    move(site, technologist, "destroyed", 1, batch=batch)
    of_batch = selectors.lines(site, at=NOON)[1]
    assert (of_batch.balance.on_hand, of_batch.balance.activity_mbq) == (0, 0.0)


def test_nothing_goes_that_is_not_there_and_what_is_gone_stays_received(site, technologist):
    batch = make_batch(site, technologist)
    with pytest.raises(Refused) as refused:
        move(site, technologist, "dispensed", 1, batch=batch)
    assert refused.value.code == "more-than-there"
    received = move(site, technologist, "received", 1, batch=batch)
    gone = move(site, technologist, "destroyed", 1, batch=batch)
    with pytest.raises(Refused, match="0 patient doses are there"):
        accountability.undo(received, reason="typed twice", by=technologist)
    accountability.undo(gone, reason="typed twice", by=technologist)
    assert accountability.on_hand(batch) == 1
    with pytest.raises(Refused, match="taken back already"):
        accountability.undo(gone, reason="again", by=technologist)


@pytest.mark.parametrize(
    ("kind", "given", "field"),
    [
        ("lost", {"tracer": "PTF"}, "kind"),
        ("received", {"tracer": "PTF"}, "batch"),
        ("ordered", {"tracer": "XYZ"}, "tracer"),
        ("ordered", {"tracer": "PTF", "doses": 0}, "doses"),
        ("ordered", {"tracer": "PTF", "doses": 3_000_000_000}, "doses"),
        ("ordered", {"tracer": "PTF", "activity_mbq": -1.0}, "activity_mbq"),
        ("ordered", {"tracer": "PTF", "activity_mbq": 1e308}, "activity_mbq"),
        ("ordered", {"tracer": "PTF", "activity_mbq": float("inf")}, "activity_mbq"),
        ("ordered", {"tracer": "PTF", "activity_mbq": float("nan")}, "activity_mbq"),
    ],
)
def test_what_can_not_be_is_refused_by_field(site, technologist, kind, given, field):
    with pytest.raises(Invalid) as refused:
        move(site, technologist, kind, **{"doses": 1, **given})
    assert refused.value.field == field


def test_an_amount_that_no_page_could_show_gets_neither_past_the_api_nor_into_the_table(
    site, technologist, client
):
    client.force_login(technologist)
    address = reverse("api_tracer_movements", args=[site.pk])
    for part in ('"activity_mbq": 1e400', '"activity_mbq": 1e308', '"doses": 3000000000'):
        body = '{"doses": 1, "kind": "ordered", "tracer": "PTF", %s, "happened_at": "%s"}'
        sent = body % (part, NOON.isoformat())
        assert client.post(address, sent, content_type="application/json").status_code == 422
    row = move(site, technologist, "ordered", 1, tracer="PTF")
    for wrong in (float("inf"), float("nan"), -1.0):
        with factories.framed(), pytest.raises(IntegrityError), transaction.atomic():
            TracerMovement.objects.filter(pk=row.pk).update(activity_mbq=wrong)


@pytest.mark.usefixtures("committed_db")
def test_two_who_hand_out_the_last_vial_at_once_hand_it_out_once():
    site = factories.make_site(factories.make_trial())
    by = factories.make_user(Role.TECHNOLOGIST, trial=site.trial, site=site)
    batch = make_batch(site, by)
    move(site, by, "received", 1, batch=batch)
    barrier, came_to = Barrier(2), []

    def hand_out():
        barrier.wait()
        try:
            move(site, by, "dispensed", 1, batch=batch)
            came_to.append("dispensed")
        except Refused as refusal:
            came_to.append(refusal.code)
        finally:
            connection.close()

    threads = [Thread(target=hand_out) for _ in range(2)]
    [one.start() for one in threads]
    [one.join() for one in threads]
    assert sorted(came_to) == ["dispensed", "more-than-there"]
    assert TracerMovement.objects.filter(batch=batch, kind="dispensed").count() == 1
