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
from trials.services import accountability, batches, signatures
from trials.services.errors import Forbidden, Invalid, Refused
from trials.views import accountability as pages

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


def test_a_page_that_shows_the_newest_alone_says_so(site, technologist, client, monkeypatch):
    monkeypatch.setattr(pages, "NEWEST", 2)
    client.force_login(technologist)
    for number in ("PO 1", "PO 2", "PO 3"):
        page = client.get(reverse("site_accountability", args=[site.pk])).content.decode()
        assert "The newest" not in page
        move(site, technologist, "ordered", 1, tracer="PTF", reference=number)
    page = client.get(reverse("site_accountability", args=[site.pk])).content.decode()
    assert [number in page for number in ("PO 1", "PO 2", "PO 3")] == [False, True, True]
    assert "The newest 2: dataset" in page


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


# A review is signed over what was looked at, and what comes later overtakes it.


@pytest.fixture
def monitor(site):
    return factories.make_user(Role.MONITOR, trial=site.trial, site=site)


def review(site, by, **given):
    seen = selectors.frozen(site, "PTF").sha256
    known = {"tracer": "PTF", "seen": seen, "password": factories.PASSWORD, "remark": ""}
    return accountability.review(site, by=by, **(known | given))


def standing(site) -> selectors.Reviewed:
    (one,) = selectors.reviewed(site, selectors.lines(site, at=NOON))
    return one


def test_later_movements_overtake_a_review_by_name(site, technologist, monitor):
    batch = make_batch(site, technologist)
    came = move(site, technologist, "received", 4, batch=batch)
    row = review(site, monitor, remark="Delivery note 7 is missing.")
    assert [(one["batch"], one["on_hand"]) for one in row.balance] == [(None, 4), ("B1", 4)]
    assert (standing(site).review, standing(site).stands) == (row, True)
    signature = signatures.of(row)
    assert signature.content["remark"] == "Delivery note 7 is missing."
    assert signature.content["movements"] == row.movements

    move(site, technologist, "dispensed", 1, batch=batch)
    assert (standing(site).since, standing(site).stands) == ("1 movement since", False)
    gone = move(site, technologist, "destroyed", 1, batch=batch)
    accountability.undo(gone, reason="a slip of the hand", by=technologist)
    assert standing(site).since == "2 movements since"
    assert review(site, monitor).pk == standing(site).review.pk
    assert standing(site).stands
    # Taking back what was reviewed overtakes as well, though the number of movements is the same.
    late = move(site, technologist, "received", 1, batch=batch)
    review(site, monitor)
    accountability.undo(late, reason="delivered elsewhere", by=technologist)
    assert standing(site).since == "1 movement since"
    row.refresh_from_db()
    assert row.balance[0]["received"] == came.doses


def test_what_changed_after_the_page_was_opened_is_not_signed(site, technologist, monitor):
    batch = make_batch(site, technologist)
    move(site, technologist, "received", 4, batch=batch)
    seen = selectors.frozen(site, "PTF").sha256
    move(site, technologist, "dispensed", 1, batch=batch)
    with pytest.raises(Refused, match="look again"):
        review(site, monitor, seen=seen)
    with pytest.raises(Invalid, match="password"):
        review(site, monitor, password="a guess")
    with pytest.raises(Invalid, match="nothing is recorded"):
        review(site, monitor, tracer="FDG")
    with pytest.raises(Forbidden):
        review(site, technologist)
    assert site.accountability_reviews.count() == 0


def test_a_review_is_signed_on_its_page_and_stands_in_api_and_export(
    site, technologist, monitor, client
):
    batch = make_batch(site, technologist)
    move(site, technologist, "received", 4, batch=batch)
    client.force_login(monitor)
    address = reverse("accountability_sign", args=[site.pk]) + "?tracer=PTF"
    page = client.get(address).content.decode()
    seen = selectors.frozen(site, "PTF").sha256
    assert (seen in page, "answer for the review" in page) == (True, True)
    assert client.get(reverse("accountability_sign", args=[site.pk])).status_code == 404
    given = {"seen": seen, "remark": "", "password": factories.PASSWORD}
    done = client.post(address, given)
    assert (done.status_code, done["Location"]) == (
        302,
        reverse("site_accountability", args=[site.pk]),
    )
    assert "Signed, nothing since" in client.get(done["Location"]).content.decode()
    (found,) = client.get(reverse("api_accountability_reviews", args=[site.pk])).json()
    assert (found["stands"], found["review"]["sha256"]) == (True, seen)

    move(site, technologist, "dispensed", 1, batch=batch)
    shown = client.get(reverse("accountability_review", args=[found["review"]["id"]]))
    assert "Overtaken: 1 movement since" in shown.content.decode()
    dataset = DATASETS["accountability_reviews"]
    (row,) = rows.of(dataset, site.trial)
    row = dict(zip(dataset.column_names, row, strict=True))
    assert [row[name] for name in ("received", "dispensed", "on_hand", "movement_count")] == [
        4,
        0,
        4,
        1,
    ]
    assert row["sha256"] == seen
