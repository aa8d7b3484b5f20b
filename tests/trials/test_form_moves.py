"""Forms that were filled in move to a newer version: what is carried, and what is named."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
import yaml
from django.urls import reverse

from reporting import csvtext
from reporting.selectors import form_rows
from tests import factories
from trials.case_report_forms import form as form_of
from trials.form_moves import moves
from trials.item_values import Entered
from trials.models import FormMove, Query
from trials.roles import Role
from trials.selectors import form_entries as selectors
from trials.services import (
    form_entries,
    form_imports,
    form_moves,
    form_reviews,
    jobs,
    protocols,
    queries,
)
from trials.services.errors import Refused

DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()


def item(identifier, kind="text", **more):
    return {"identifier": identifier, "label": identifier.capitalize(), "type": kind} | more


def codes(*names):
    return {"codes": [{"code": one, "label": one} for one in names]}


BEFORE = [
    item("term"),
    item("weight", "decimal", unit="kg"),
    item("grade", "choice", **codes("1", "2", "9")),
    item("place"),
    item("route", is_required=False),
]
AFTER = [
    item("term"),
    item("weight", "decimal", unit="g", conversion={"unit": "kg", "factor": 1000}),
    item("grade", "choice", **codes("1", "2")),
    item("location", was="place"),
    item("hospital"),
]
VALUES = {"term": "Rash", "weight": "70", "grade": "9", "place": "arm", "route": "skin"}
# What asks the same in a version of its own.
SAME = [*BEFORE, item("remark", is_required=False)]


def definition(items, version):
    stated = {
        "identifier": "event",
        "label": "Event",
        "provenance": "proposed",
        "is_repeating": True,
        "items": items,
    }
    text = DEMO.replace('version: "1.0"', f'version: "{version}"', 1)
    return f"{text}\n{yaml.safe_dump({'forms': [stated]}, sort_keys=False)}"


@pytest.mark.parametrize(
    ("now", "value", "kind"),
    [
        (item("dose", "decimal", unit="mg"), 2.0, "carried"),
        (item("dose", "decimal", unit="g"), 2.0, "refused"),
        (item("dose", "text"), 2.0, "refused"),
        (item("other", "decimal", unit="mg"), 2.0, "dropped"),
        (item("other", "decimal", unit="mg", was="dose"), 2.0, "renamed"),
        (
            item("dose", "decimal", unit="g", conversion={"unit": "mg", "factor": 0.001}),
            2.0,
            "converted",
        ),
        (
            item("dose", "decimal", unit="g", conversion={"unit": "µg", "factor": 0.001}),
            2.0,
            "refused",
        ),
    ],
)
def test_a_value_never_changes_its_meaning_on_the_way(now, value, kind):
    old, new = (
        form_of({"identifier": "f", "label": "F", "items": [one]})
        for one in (item("dose", "decimal", unit="mg"), now)
    )
    assert moves(old, new, {"dose": Entered(value)})[0].kind == kind


def of(*items):
    return form_of({"identifier": "f", "label": "F", "items": list(items)})


def test_a_code_that_says_something_else_now_is_another_answer():
    old = item("grade", "choice", codes=[{"code": "1", "label": "mild"}])
    new = item("grade", "choice", codes=[{"code": "1", "label": "severe"}])
    (move,) = moves(of(old), of(new), {"grade": Entered("1")})
    assert move.kind == "refused"
    assert "was “mild” and is “severe”" in move.sentence


def test_why_a_value_is_missing_goes_along_under_the_new_name_and_is_renewed():
    old = item("dose", "decimal", unit="mg", missing=["ND"])
    new = item(
        "dose_g",
        "decimal",
        unit="g",
        was="dose",
        missing=["ND"],
        conversion={"unit": "mg", "factor": 0.001},
    )
    (move,) = moves(of(old), of(new), {"dose": Entered(missing="ND", reason="no scale")})
    assert (move.kind, move.after, move.needs_renewal) == ("renamed", "dose_g", True)


def test_a_number_beyond_the_new_limits_keeps_the_entry():
    new = item("dose", "decimal", unit="mg", range={"hard": {"low": 0, "high": 5}})
    (move,) = moves(of(item("dose", "decimal", unit="mg")), of(new), {"dose": Entered(7.0)})
    assert (move.kind, "7 is out of range" in move.sentence) == ("refused", True)


def test_what_follows_from_a_converted_value_is_computed_anew():
    def stated(unit, **more):
        return of(
            item("dose", "decimal", unit=unit, **more),
            item(
                "square",
                "decimal",
                unit=unit,
                is_required=False,
                computed={"value": {"op": "multiply", "of": [{"item": "dose"}, {"item": "dose"}]}},
            ),
        )

    after = stated("g", conversion={"unit": "mg", "factor": 0.001})
    found = moves(stated("mg"), after, {"dose": Entered(500.0), "square": Entered(250000.0)})
    assert [(one.kind, one.value.value) for one in found] == [
        ("converted", 0.5),
        ("computed", 0.25),
    ]


@pytest.fixture
def site():
    trial = protocols.load_trial(definition(BEFORE, "1.0"), by=jobs.system_user()).trial
    return factories.make_site(trial)


def member(role, site):
    user = factories.make_user(role, trial=site.trial, site=site)
    factories.delegate(user, site)
    return user


@pytest.fixture
def entry(site):
    by = member(Role.COORDINATOR, site)
    patient = factories.make_enrolled(site, by=by)
    begun = form_entries.begin(patient, form="event", by=by)
    return form_entries.complete(begun, given=VALUES, revision=1, by=by)


@pytest.fixture
def manager(site):
    return factories.make_user(Role.DATA_MANAGER, trial=site.trial)


def amended(site, items, *, holds=True):
    loaded = protocols.load_trial(definition(items, "2.0"), by=jobs.system_user()).version
    if holds:
        factories.activate(loaded, site)
    return loaded


def moved(site, version, by):
    digest = form_moves.plan(version, site=site, by=by).digest
    return form_moves.move(version, site=site, digest=digest, reason="Amendment 1", by=by)


def fields(entry):
    opened = selectors.opened(selectors.rows().get(pk=entry.pk))
    return {one.item.identifier: one for one in opened.fields}


@pytest.mark.django_db
def test_what_was_asked_and_verified_goes_along_and_what_is_to_be_renewed_is_named(
    site, entry, manager
):
    monitor = member(Role.MONITOR, site)
    rows = {one.item: one for one in entry.values.all()}
    query = queries.open_query(rows["place"], text="Left or right?", by=monitor)
    seen = {rows[name]: form_reviews.digest_of(rows[name]) for name in ("term", "weight")}
    form_reviews.verify(entry, seen=seen, by=monitor)
    version = amended(site, AFTER)
    (planned,) = form_moves.plan(version, site=site, by=manager).entries
    kinds = {one.before or one.after: one.kind for one in planned.moves}
    assert kinds == {
        "term": "carried",
        "weight": "converted",
        "grade": "code_gone",
        "place": "renamed",
        "route": "dropped",
        "hospital": "added",
    }
    assert planned.marks_to_renew == ("Weight",)
    moved(site, version, manager)
    found = fields(entry)
    assert {name: one.shown for name, one in found.items()} == {
        "term": "Rash",
        "weight": "70000.0 g",
        "grade": "9",
        "location": "arm",
        "hospital": "",
        "route": "skin",
    }
    assert found["location"].queries == (query,)
    assert (found["term"].is_verified, found["weight"].is_verified) == (True, False)
    # 70 was kg, whatever the unit is now.
    assert [one.shown for one in found["weight"].history] == ["70.0 kg", "70000.0 g"]
    assert found["route"].asked_last_by == "1.0"
    assert "can't be answered with 9" in Query.objects.get(rule=form_moves.ANSWER_GONE).text
    assert FormMove.objects.get().reason == "Amendment 1"
    (table,) = [one for name, one in form_rows.tables(site.trial).items() if name == "form_event"]
    lines = csvtext.lines(table.dataset.columns, form_rows.of(table, site.trial))
    (exported,) = csv.DictReader(io.StringIO(b"".join(lines).decode()))
    said = ("weight", "weight_v1", "location", "route", "protocol_version")
    assert [exported[name] for name in said] == ["70000.0", "", "arm", "skin", "2.0"]


@pytest.mark.django_db
def test_a_moved_form_is_corrected_under_what_it_is_asked_now(site, entry, manager):
    moved(site, amended(site, AFTER), manager)
    by = entry.completed_by
    now = selectors.rows().get(pk=entry.pk)
    with pytest.raises(form_entries.WrongItems) as caught:
        form_entries.correct(now, given={"grade": "2"}, revision=2, reason="source", by=by)
    assert list(caught.value.errors) == ["hospital"]
    given = {"grade": "2", "hospital": "City"}
    form_entries.correct(now, given=given, revision=2, reason="by the source", by=by)
    found = fields(entry)
    assert (found["hospital"].shown, found["route"].shown) == ("City", "skin")


@pytest.mark.django_db
def test_a_signature_stands_where_every_value_is_as_it_was_signed(site, entry, manager):
    leader = member(Role.INVESTIGATOR, site)
    form_reviews.sign(entry, revision=1, password=factories.PASSWORD, by=leader)
    version = amended(site, SAME)
    (planned,) = form_moves.plan(version, site=site, by=manager).entries
    assert not planned.is_signature_to_renew
    moved(site, version, manager)
    now = selectors.rows().get(pk=entry.pk)
    assert now.version == version
    assert form_reviews.signature_in_force(now)
    form_entries.correct(
        now, given={"term": "Gout"}, revision=2, reason="by the source", by=entry.completed_by
    )
    assert form_reviews.signature_in_force(selectors.rows().get(pk=entry.pk)) is None


@pytest.mark.django_db
def test_a_signature_on_what_is_asked_no_more_is_to_be_renewed(site, entry, manager):
    leader = member(Role.INVESTIGATOR, site)
    form_reviews.sign(entry, revision=1, password=factories.PASSWORD, by=leader)
    version = amended(site, AFTER)
    assert form_moves.plan(version, site=site, by=manager).entries[0].is_signature_to_renew
    moved(site, version, manager)
    assert form_reviews.signature_in_force(selectors.rows().get(pk=entry.pk)) is None


@pytest.mark.django_db
def test_forms_move_as_they_were_shown_and_only_where_the_version_holds(
    client, site, entry, manager
):
    version = amended(site, AFTER, holds=False)
    with pytest.raises(Refused, match="activate it first"):
        moved(site, version, manager)
    client.force_login(manager)
    address = reverse("form_moves", args=[site.pk, version.pk])
    assert "does not hold here yet" in client.get(address).content.decode()
    factories.activate(version, site)
    digest = form_moves.plan(version, site=site, by=manager).digest
    form_entries.correct(
        entry, given={"term": "Gout"}, revision=1, reason="source", by=entry.completed_by
    )
    stale = client.post(address, {"digest": digest, "reason": "Amendment 1"})
    assert stale.status_code == 409
    text = client.get(address).content.decode()
    assert "Weight: 70 kg is 70000 g." in text
    digest = form_moves.plan(version, site=site, by=manager).digest
    assert client.post(address, {"digest": digest, "reason": "Amendment 1"}).status_code == 302
    assert "Every form of this site is of this version" in client.get(address).content.decode()


@pytest.mark.django_db
def test_another_unit_without_a_conversion_keeps_the_entry_where_it_is(site, entry, manager):
    version = amended(site, [item("term"), item("weight", "decimal", unit="g")])
    (planned,) = form_moves.plan(version, site=site, by=manager).entries
    assert "was decimal in kg and becomes decimal in g" in planned.stays
    with pytest.raises(Refused, match="No form of this site can move"):
        moved(site, version, manager)


@pytest.mark.django_db
def test_a_file_of_values_speaks_to_a_moved_form_as_it_is_now(site, entry, manager):
    moved(site, amended(site, AFTER), manager)
    row = form_imports.receive(
        site.trial,
        form="event",
        content=f"patient,repeat,grade,hospital\n{entry.patient},1,2,City\n".encode(),
        file_name="event.csv",
        source="site",
        import_id="1",
        by=manager,
    )
    (planned,) = row.plan["rows"]
    assert [one["item"] for one in planned["changes"]] == ["grade", "hospital"]


@pytest.mark.django_db
def test_the_api_shows_what_would_become_of_forms_and_moves_exactly_that(
    client, site, entry, manager
):
    version = amended(site, AFTER)
    address = reverse("api_form_moves", args=[site.pk, version.pk])
    client.force_login(entry.completed_by)
    assert client.get(address).status_code == 403
    client.force_login(manager)
    plan = client.get(address).json()
    (planned,) = plan["entries"]
    assert (planned["entry"], planned["stays"], planned["from_version"]) == (entry.pk, "", "1.0")
    weight = next(one for one in planned["moves"] if one["before"] == "weight")
    assert (weight["kind"], weight["needs_renewal"]) == ("converted", True)

    def post(digest):
        given = {"digest": digest, "reason": "Amendment 1"}
        return client.post(address, given, content_type="application/json")

    assert post("0" * 64).json()["code"] == "changed-meanwhile"
    assert not FormMove.objects.exists()
    (made,) = post(plan["digest"]).json()
    assert (made["entry"], made["from_version"], made["to_version"]) == (entry.pk, "1.0", "2.0")
    assert ["converted", "weight", "weight"] in made["outcome"]
    assert client.get(address).json()["entries"] == []
