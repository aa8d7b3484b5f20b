"""Case report forms as a trial file states them: what is asked, of whom, at which visit.

A form is a list of items in the order of the paper. An item has an identifier that never
changes its meaning: an amendment that asks something else under the same name is told as that
(`differences`), never read as the same. The one mistake to fear is a value shown under a
question that nobody asked; so an entry keeps to the version that it was entered under.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trials.terms import Expression

Definition = Mapping[str, Any]
Codes = tuple[tuple[str, str], ...]

TYPES = {
    "integer": "a whole number",
    "decimal": "a number",
    "text": "a text",
    "date": "a day",
    "partial_date": "a date as far as known",
    "time": "a time of the day",
    "datetime": "a day and time",
    "choice": "one of a list",
    "multi_choice": "any of a list",
    "yes_no": "yes or no",
}
NUMBERS = frozenset({"integer", "decimal"})
DATES = frozenset({"date", "partial_date", "datetime"})
CHOICES = frozenset({"choice", "multi_choice"})

# Why a value is missing, in the words of CDASH; those that need a reason say why.
MISSING: Mapping[str, str] = {
    "ND": "Not done",
    "NK": "Not known",
    "NA": "Not applicable",
    "RF": "Refused by the patient",
}
NEEDS_REASON = frozenset({"ND"})
# What is computed and can't be; nobody enters it.
NOT_EVALUABLE = "NE"
MISSING_WORDS: Mapping[str, str] = {**MISSING, NOT_EVALUABLE: "Not evaluable"}
# What an item may be answered with where its definition names no codes.
USUAL_MISSING = ("ND", "NK")
NO_LIMITS: tuple[None, None] = (None, None)
Limits = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a form.

    `soft` limits are asked about, `hard` ones refused; both ends are allowed, in `unit`.
    `condition` speaks of items of the same form; an item without one is always asked. One that
    is `computed` is never asked: its value follows from the others.
    """

    identifier: str
    label: str
    type: str
    section: str = ""
    unit: str = ""
    codes: Codes = ()
    soft: Limits = NO_LIMITS
    hard: Limits = NO_LIMITS
    is_required: bool = True
    condition: Expression | None = None
    missing: tuple[str, ...] = USUAL_MISSING
    # An earlier item that holds a date which this one may not precede.
    not_before: str = ""
    may_lie_ahead: bool = False
    target: Mapping[str, str] | None = None
    help: str = ""
    # What an earlier version called it, and the unit it had there with the factor from it to this.
    was: str = ""
    conversion: tuple[str, float] | None = None
    computed: Mapping[str, Any] | None = None
    # The variable of eligibility that it gives, how its codes are called there, and what dates it.
    evidence: Mapping[str, Any] | None = None

    def meaning(self) -> tuple[Any, ...]:
        """What two items must have in common for a value of one to be a value of the other."""
        return self.type, self.unit, tuple(code for code, _ in self.codes)


@dataclass(frozen=True, slots=True)
class Clock:
    """A report that is due some hours after an item says that it became known.

    It runs while `when` holds and the item `done` is empty.
    """

    when: Expression
    hours: float
    known: str
    done: str
    text: str


@dataclass(frozen=True, slots=True)
class Form:
    """A form of one version of a protocol. Without visits it is asked at any time."""

    identifier: str
    label: str
    items: tuple[Item, ...]
    visits: tuple[str, ...] = ()
    applies_to: Expression | None = None
    is_repeating: bool = False
    domain: str = ""
    is_proposed: bool = False
    clock: Clock | None = None
    note: str = ""
    # Of a form that repeats, the items that tell its entries apart.
    keyed_by: tuple[str, ...] = ()
    # Whether the truth panel is shown it, and whether the panel alone fills it in.
    is_reference: bool = False
    is_of_panel: bool = False

    @property
    def entered_items(self) -> tuple[Item, ...]:
        """The items that somebody answers: all but those that are computed."""
        return tuple(one for one in self.items if one.computed is None)

    def item(self, identifier: str) -> Item | None:
        """The item of that name, if the form has one."""
        return next((one for one in self.items if one.identifier == identifier), None)


@dataclass(frozen=True, slots=True)
class Difference:
    """What an amendment does to values that were entered: of which item, and in words."""

    form: str
    item: str
    sentence: str


def forms_of(definition: Definition) -> dict[str, Form]:
    """The forms of a trial's definition by their identifiers, in its order."""
    return {one["identifier"]: form(one) for one in definition.get("forms", ())}


def column_word(code: str) -> str:
    """A code as a part of the name of a column.

    >>> column_word("RECOVERED/RESOLVED")
    'recovered_resolved'
    """
    return re.sub(r"[^a-z0-9]", "_", code.lower())


def visit_labels(definition: Definition) -> dict[str, str]:
    """What the visits of a definition are called."""
    return {one["identifier"]: one["label"] for one in definition.get("visits", ())}


def form(stated: Mapping[str, Any]) -> Form:
    """A form as a trial file states it."""
    clock = stated.get("report_clock")
    return Form(
        identifier=stated["identifier"],
        label=stated["label"],
        items=tuple(_item(one) for one in stated["items"]),
        visits=tuple(stated.get("visits", ())),
        applies_to=stated.get("applies_to"),
        is_repeating=stated.get("is_repeating", False),
        domain=stated.get("domain", ""),
        is_proposed=stated.get("provenance") == "proposed",
        clock=Clock(**clock) if clock else None,
        note=stated.get("note", ""),
        keyed_by=tuple(stated.get("keyed_by", ())),
        is_reference=stated.get("role") == "reference",
        is_of_panel=stated.get("role") == "panel",
    )


def expanded(definition: Definition, general: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A definition that holds the general forms it names, each marked proposed where it was.

    What a form asked must not change with a release of the product, so nothing is left to be
    looked up.

    >>> general = [{"identifier": "vitals", "label": "Vital signs", "items": []}]
    >>> expanded({"general_forms": [{"form": "vitals", "visits": ["PET"]}]}, general)["forms"]
    [{'identifier': 'vitals', 'label': 'Vital signs', 'items': [], 'visits': ['PET']}]
    """
    known = {one["identifier"]: one for one in general}
    named = definition.get("general_forms", ())
    added = [
        {**known[one["form"]], **{key: value for key, value in one.items() if key != "form"}}
        for one in named
    ]
    return {**definition, "forms": [*definition.get("forms", ()), *added], "general_forms": []}


def differences(old: Mapping[str, Form], new: Mapping[str, Form]) -> Iterator[Difference]:
    """What becomes of values entered under `old` where `new` holds: only what is not the same."""
    for name, before in old.items():
        after = new.get(name)
        if after is None:
            yield Difference(name, "", f"{before.label} is asked no more; what was entered stays.")
            continue
        yield from _item_differences(before, after)


def _item_differences(before: Form, after: Form) -> Iterator[Difference]:
    for item in before.items:
        now = after.item(item.identifier)
        if now is None:
            said = f"{item.label} is asked no more; what was entered stays."
        elif now.type != item.type or now.unit != item.unit:
            said = (
                f"{item.label} was {kind_words(item)} and becomes {kind_words(now)}: what was "
                "entered stays as it is, in a column of its own."
            )
        elif item.computed != now.computed:
            said = (
                f"{item.label} is computed by another rule: what was computed stays as it is, in "
                "a column of its own."
            )
        elif gone := [label for code, label in item.codes if code not in dict(now.codes)]:
            said = f"{item.label} can't be answered with {', '.join(gone)} any more."
        elif item.evidence != now.evidence:
            said = (
                f"{item.label} gives other evidence: forms that are complete give what they gave."
            )
        else:
            continue
        yield Difference(before.identifier, item.identifier, said)
    known = {one.identifier for one in before.items}
    for item in after.items:
        if item.identifier not in known and item.is_required:
            said = f"{item.label} is new: forms that are complete are not asked for it."
            yield Difference(after.identifier, item.identifier, said)


def kind_words(item: Item) -> str:
    """What an item asks for, in words.

    >>> kind_words(Item("weight", "Weight", "decimal", unit="kg"))
    'a number in kg'
    """
    return f"{TYPES[item.type]} in {item.unit}" if item.unit else TYPES[item.type]


def _item(stated: Mapping[str, Any]) -> Item:
    limits = stated.get("range", {})
    return Item(
        identifier=stated["identifier"],
        label=stated["label"],
        type=stated["type"],
        section=stated.get("section", ""),
        unit=stated.get("unit", ""),
        codes=tuple((one["code"], one["label"]) for one in stated.get("codes", ())),
        soft=_limits(limits.get("soft")),
        hard=_limits(limits.get("hard")),
        is_required=stated.get("is_required", True),
        condition=stated.get("condition"),
        missing=(NOT_EVALUABLE,)
        if stated.get("computed")
        else tuple(stated.get("missing", USUAL_MISSING)),
        not_before=stated.get("not_before", ""),
        may_lie_ahead=stated.get("may_lie_ahead", False),
        target=stated.get("target"),
        help=stated.get("help", ""),
        was=stated.get("was", ""),
        conversion=_conversion(stated.get("conversion")),
        computed=stated.get("computed"),
        evidence=stated.get("evidence"),
    )


def _conversion(stated: Mapping[str, Any] | None) -> tuple[str, float] | None:
    return (stated["unit"], stated["factor"]) if stated else None


def _limits(stated: Mapping[str, float | None] | None) -> Limits:
    return (stated.get("low"), stated.get("high")) if stated else NO_LIMITS
