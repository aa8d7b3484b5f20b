"""Items of forms that give a variable of eligibility: what each answer says as evidence.

A number keeps the unit that the form asks it in, and criteria convert it as they convert any
evidence. What was asked and is not known is evidence of that; what was not done, refused or does
not apply says nothing. The one mistake to fear is an answer that means something else to a
criterion: so each code is a value of the variable, or the trial file says which it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trials import variables
from trials.case_report_forms import DATES, Form, Item
from trials.item_values import Entered

NOT_KNOWN = "NK"
LIMITS = frozenset({"reference_low", "reference_high"})
# The types of items that may give a variable of a kind.
TYPES: Mapping[str, frozenset[str]] = {
    "number": frozenset({"integer", "decimal"}),
    "boolean": frozenset({"yes_no", "choice"}),
    "date": frozenset({"date", "partial_date"}),
    "choice": frozenset({"choice"}),
    "list": frozenset({"multi_choice"}),
    "text": frozenset({"text"}),
}


@dataclass(frozen=True, slots=True)
class Saying:
    """What an answer says of a variable; None is "asked, not known"."""

    variable: str
    value: Any
    unit: str


def saying(item: Item, entered: Entered) -> Saying | None:
    """What an answer says as evidence, None where it says nothing.

    >>> weight = Item("kg", "Weight", "decimal", unit="kg", evidence={"variable": "weight"})
    >>> saying(weight, Entered(70.5))
    Saying(variable='weight', value=70.5, unit='kg')
    >>> saying(weight, Entered(missing="NK")).value, saying(weight, Entered(missing="ND"))
    (None, None)
    """
    if item.evidence is None or (entered.missing and entered.missing != NOT_KNOWN):
        return None
    if not entered.missing and entered.value is None:
        return None
    if _is_gone(item, entered.value):
        return None
    name = item.evidence["variable"]
    value = None if entered.missing else _meant(item, entered.value)
    return Saying(name, *variables.checked(name, value, item.unit))


def _is_gone(item: Item, value: Any) -> bool:
    """Whether an answer is by a code that the item, moved to a newer version, has no more."""
    given = value if isinstance(value, list) else [value]
    codes = {code for code, _ in item.codes}
    return bool(codes) and value is not None and not codes.issuperset(given)


def dated_by(item: Item) -> str:
    """The item that says when it was observed; empty where the visit does."""
    return (item.evidence or {}).get("dated_by", "")


def details(item: Item, entered: Mapping[str, Entered]) -> dict[str, Any]:
    """What the form says of a value beside it, such as its limits of normal; by detail.

    >>> ast = Item("ast", "AST", "decimal", unit="U/L",
    ...            evidence={"variable": "ast", "details": {"reference_high": "ast_high"}})
    >>> details(ast, {"ast_high": Entered(35.0)}), details(ast, {"ast_high": Entered(missing="NK")})
    ({'reference_high': 35.0}, {})
    """
    given = {
        name: entered[other].value
        for name, other in _details_of(item).items()
        if other in entered and not entered[other].missing
    }
    return variables.checked_details(item.evidence["variable"], given) if item.evidence else {}


def _details_of(item: Item) -> Mapping[str, str]:
    return (item.evidence or {}).get("details", {})


def words(item: Item) -> str:
    """Which variable an item gives, in words; empty where it gives none.

    >>> words(Item("kg", "Weight", "decimal", unit="kg", evidence={"variable": "weight"}))
    'Body weight'
    """
    return variables.variable(item.evidence["variable"]).label if item.evidence else ""


def errors(form: Form, item: Item) -> Iterator[str]:
    """What is wrong with the evidence that an item is said to give, a sentence each."""
    if item.evidence is None:
        return
    try:
        known = variables.variable(item.evidence["variable"])
    except variables.VariableError as error:
        yield error.message
        return
    if form.is_of_panel:
        yield "what the truth panel decides is shown to no site, so it is no evidence."
    yield from _dating(form, item)
    if known.is_per_scan:
        yield f"{known.label} is recorded for a scan, and a form is of none."
        return
    if known.kind == "list" and not known.choices:
        yield f"{known.label} is a history with dates, which no item holds."
        return
    if item.type not in TYPES[known.kind]:
        expected = " or ".join(sorted(TYPES[known.kind]))
        yield f"{known.label} is given by {expected}, got {item.type}."
        return
    yield from _answers(item)
    for name, other in _details_of(item).items():
        yield from _detail(known, item, name, form.item(other), other)


def _detail(
    known: variables.Variable, item: Item, name: str, other: Item | None, asked: str
) -> Iterator[str]:
    """Whether an item can say what belongs to a value: its limits of normal in its own unit."""
    detail = next((one for one in known.details if one.name == name), None)
    if detail is None:
        expected = ", ".join(one.name for one in known.details) or "nothing"
        yield f"{known.label} has no {name!r}; what belongs to it is {expected}."
        return
    if other is None:
        yield f"{asked!r} is no item of the form."
        return
    if detail.is_number and other.type not in TYPES["number"]:
        yield f"{detail.label} is given by a number, got {other.type}."
    elif name in LIMITS and other.unit != item.unit:
        theirs, ours = other.unit or "no unit", item.unit or "no unit"
        yield f"{detail.label} is in {theirs}, and {item.label} in {ours}."
    elif strange := {code for code, _ in other.codes} - {code for code, _ in detail.choices}:
        if detail.choices:
            yield f"{detail.label} is not {', '.join(sorted(strange))}."
    elif detail.choices and not other.codes:
        yield f"{detail.label} is one of {', '.join(code for code, _ in detail.choices)}."


def _dating(form: Form, item: Item) -> Iterator[str]:
    name = dated_by(item)
    other = form.item(name) if name else None
    if name and (other is None or other.type not in DATES):
        yield f"{name!r} is no item that is a date."
    elif other is not None and other.may_lie_ahead:
        yield f"{name} may lie ahead, and nothing is observed before it happens."
    elif not name and not form.visits:
        yield "a form that is asked at any time has no day: name the item it is dated by."


def _answers(item: Item) -> Iterator[str]:
    """Each answer that can be given is a value of the variable, in a unit it has."""
    given = dict(item.evidence or {}).get("codes", {})
    codes = [code for code, _ in item.codes]
    if strange := sorted(set(given) - set(codes)):
        yield f"{', '.join(strange)} is no code of the item."
        return
    one: dict[str, Any] = {
        "integer": 1,
        "decimal": 1.0,
        "yes_no": True,
        "date": "2026-03-02",
        "partial_date": "2026-03",
        "text": "a text",
    }
    samples = [[code] for code in codes] if item.type == "multi_choice" else codes
    for sample in samples if codes else [one[item.type]]:
        try:
            saying(item, Entered(sample))
        except variables.VariableError as error:
            yield error.message


def _meant(item: Item, value: Any) -> Any:
    codes = dict(item.evidence or {}).get("codes", {})
    if isinstance(value, list):
        return [codes.get(one, one) for one in value]
    return codes.get(value, value) if isinstance(value, str) else value
