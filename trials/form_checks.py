"""What is wrong with the forms of a trial file that its schema can't see."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from trials import (
    case_report_forms,
    expression_checks,
    item_computations,
    item_conditions,
    item_evidence,
)
from trials.case_report_forms import CHOICES, DATES, NUMBERS, Form, Item
from trials.expressions import nodes

Definition = Mapping[str, Any]
Path = tuple[str | int, ...]
Found = Iterator[tuple[Path, str]]

# Columns that the table of every form has beside its items.
COLUMNS = frozenset(
    {
        "trial",
        "usubjid",
        "site",
        "patient",
        "visit",
        "repeat",
        "protocol_version",
        "completed_at",
        "changed_unblinded_at",
        "record_table",
        "record_pk",
    }
)

# What an item was before an amendment made something else of it has a column of its own.
MEANING = re.compile(r"_v[0-9]+$")


def errors(definition: Definition, *, anchors: Collection[str]) -> Found:
    """Every inconsistency in the forms, with the path to what is to be mended.

    `anchors` are those the trial file defines, as `visit.PET2`.
    """
    visits = [one["identifier"] for one in definition["visits"]]
    names = [one["identifier"] for one in definition["forms"]]
    for i, stated in enumerate(definition["forms"]):
        path: Path = ("forms", i)
        if stated["identifier"] in names[:i]:
            yield (*path, "identifier"), f"the form {stated['identifier']!r} stands more than once."
        if stated.get("provenance") != "proposed" and not stated.get("source"):
            yield path, "name the source that asks this, or mark the form as proposed."
        yield from _visits(path, stated, visits)
        yield from _applies_to(path, stated, anchors)
        yield from _items(path, case_report_forms.form(stated))
    taken = set(names)
    for i, stated in enumerate(definition["general_forms"]):
        path = ("general_forms", i)
        if stated["form"] in taken:
            yield (*path, "form"), f"the form {stated['form']!r} stands more than once."
        taken.add(stated["form"])
        yield from _visits(path, stated, visits)


def _visits(path: Path, stated: Mapping[str, Any], known: Collection[str]) -> Found:
    for j, visit in enumerate(stated.get("visits", ())):
        if visit not in known:
            yield (*path, "visits", j), f"expected one of {list(known)}, got {visit!r}."


def _applies_to(path: Path, stated: Mapping[str, Any], anchors: Collection[str]) -> Found:
    for node in nodes(stated.get("applies_to")):
        # Who is asked is judged as at enrolment: of the patient, and of no scan.
        for message in expression_checks.errors(
            node, gate="enrolment", tracers=(), anchors=anchors
        ):
            yield (*path, "applies_to"), message


def _items(path: Path, form: Form) -> Found:
    seen: list[str] = []
    called = {item.identifier for item in form.items}
    for j, item in enumerate(form.items):
        place: Path = (*path, "items", j)
        if item.identifier in seen:
            yield (*place, "identifier"), f"the item {item.identifier!r} stands more than once."
        elif item.identifier in COLUMNS or _is_beside(item.identifier, called):
            yield (*place, "identifier"), f"{item.identifier!r} is a column of every form."
        elif MEANING.search(item.identifier):
            yield (
                (*place, "identifier"),
                f"{item.identifier!r} ends as the column of what an item meant in a version.",
            )
        elif "__" in item.identifier:
            yield (*place, "identifier"), "two lines stand between an item and a code of it only."
        else:
            for message in item_conditions.errors(form, item):
                yield (*place, "condition"), message
            for message in item_computations.errors(form, item):
                yield (*place, "computed"), message
            yield from _asked_by(place, form, item)
        yield from _item(place, item)
        for message in item_evidence.errors(form, item):
            yield (*place, "evidence"), message
        yield from _order(place, item, form, seen)
        if item.was and (item.was == item.identifier or item.was in called):
            yield (*place, "was"), f"{item.was!r} is a name that the form has."
        called |= {item.was} - {""}
        seen.append(item.identifier)
    yield from _clock(path, form)
    yield from _keys(path, form)


def _is_beside(name: str, items: set[str]) -> bool:
    """Whether a name is that of a column beside an item, which says why its value is missing."""
    return name.endswith("_missing") or name.removesuffix("_reason") in items - {name}


def _asked_by(path: Path, form: Form, item: Item) -> Found:
    """Whether an item is asked must be seen while it is filled in."""
    for name in item_conditions.named(item.condition) if item.computed is None else ():
        other = form.item(name)
        if other is not None and other.computed is not None:
            yield (*path, "condition"), f"{name} is computed: only what is entered decides."


def _keys(path: Path, form: Form) -> Found:
    if form.keyed_by and not form.is_repeating:
        yield (*path, "keyed_by"), "only a form that repeats has entries to tell apart."
    for name in form.keyed_by:
        item = form.item(name)
        if item is None or item.type not in {"text", "choice"}:
            yield (*path, "keyed_by"), f"{name!r} is no item that is a text or a choice."


def _item(path: Path, item: Item) -> Found:
    codes = [code for code, _ in item.codes]
    if (item.type in CHOICES) != bool(codes):
        yield (*path, "codes"), "a choice has codes, and nothing else has."
    if len({case_report_forms.column_word(code) for code in codes}) != len(codes):
        yield (*path, "codes"), "two codes are the same, or but for spaces and marks."
    if item.unit and item.type not in NUMBERS:
        yield (*path, "unit"), f"{item.type} has no unit."
    for limits in (item.soft, item.hard):
        low, high = limits
        if limits != case_report_forms.NO_LIMITS and item.type not in NUMBERS:
            yield (*path, "range"), f"{item.type} has no range."
        elif low is not None and high is not None and low > high:
            yield (*path, "range"), f"low {low:g} is above high {high:g}."
    if item.conversion and (item.type != "decimal" or item.conversion[0] == item.unit):
        yield (*path, "conversion"), "only a decimal is converted, from another unit than its own."
    if _is_crossed(item):
        yield (*path, "range"), "the soft limits lie outside the hard ones."


def _is_crossed(item: Item) -> bool:
    (low, high), (lowest, highest) = item.soft, item.hard
    is_below = low is not None and lowest is not None and low < lowest
    return is_below or (high is not None and highest is not None and high > highest)


def _order(path: Path, item: Item, form: Form, before: Collection[str]) -> Found:
    if not item.not_before:
        return
    other = form.item(item.not_before)
    if other is None or item.not_before not in before:
        yield (*path, "not_before"), f"there is no earlier item {item.not_before!r}."
    elif item.type not in DATES or other.type not in DATES:
        yield (*path, "not_before"), "only dates come before each other."


def _clock(path: Path, form: Form) -> Found:
    if form.clock is None:
        return
    for message in item_conditions.node_errors(form.clock.when, form):
        yield (*path, "report_clock", "when"), message
    for key in ("known", "done"):
        item = form.item(getattr(form.clock, key))
        if item is None or item.type != "datetime":
            yield (*path, "report_clock", key), "name an item that is a day and time."
