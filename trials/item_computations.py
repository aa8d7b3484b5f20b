"""Items of a form that nobody enters: computed from the others, by a rule the trial file states.

A number is made of items by `divide`, `multiply`, `subtract`, `greater`, `lesser`, or as the
`days` or `months` between two dates; a choice is the first of its cases that holds. What has to
hold first stands in `requires`, with the sentence that says why there is no value otherwise.

The mistake to fear is an index computed of a sampling that failed: what does not meet its
requirement, or lacks a part, is not evaluable, says why, and is never zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from trials import item_conditions
from trials.case_report_forms import NUMBERS, Form, Item
from trials.kleene import Truth

# A month of a duration, as survival is given in: a twelfth of 365.25 days.
DAYS_PER_MONTH = 365.25 / 12
LONGEST_REASON = 200
SIGNS = {"divide": "/", "multiply": "x", "subtract": "-"}
PICKS = {"greater": "the greater of", "lesser": "the lesser of"}
SPANS = ("days", "months")
_DATES = frozenset({"date", "partial_date"})
Answers = Mapping[str, Any]
Expression = Mapping[str, Any]


class NotEvaluableError(ValueError):
    """A value that can't be computed; the message says why."""


def value_of(form: Form, item: Item, answers: Answers) -> Any:
    """The value of a computed item, by typed answers; raises NotEvaluableError.

    >>> from trials.case_report_forms import Item
    >>> rule = {"value": {"op": "divide", "of": [{"item": "vein"}, {"item": "periphery"}]}}
    >>> index = Item("index", "Index", "decimal", computed=rule)
    >>> parts = Item("vein", "Vein", "decimal"), Item("periphery", "Periphery", "decimal")
    >>> value_of(Form("avs", "Sampling", (*parts, index)), index, {"vein": 60, "periphery": 12})
    5.0
    """
    rule = item.computed or {}
    for one in rule.get("requires", ()):
        if item_conditions.holds(one["when"], answers) is not Truth.YES:
            raise NotEvaluableError(one["otherwise"])
    if "cases" in rule:
        return _case(form, rule["cases"], answers)
    return _number(form, rule["value"], answers)


def words(form: Form, item: Item) -> str:
    """How an item is computed, as a person says it."""
    rule = item.computed or {}
    if "cases" in rule:
        labels = dict(item.codes)
        said = "; ".join(
            f"{labels[one['code']]} if {item_conditions.words(one['when'], form)}"
            for one in rule["cases"]
        )
    else:
        said = _words(form, rule["value"])
    needs = [item_conditions.words(one["when"], form) for one in rule.get("requires", ())]
    return f"{said}, provided that {' and '.join(needs)}" if needs else said


def errors(form: Form, item: Item) -> Iterator[str]:
    """What is wrong with the computation of an item, a sentence each."""
    rule = item.computed
    if rule is None:
        return
    order = [one.identifier for one in form.items]
    before = order[: order.index(item.identifier)]
    wanted = "a choice has cases, a number a value" if item.type == "choice" else ""
    if ("cases" in rule) != (item.type == "choice") or item.type not in {*NUMBERS, "choice"}:
        yield wanted or "only a number or a choice is computed, a number by its value."
        return
    if item.type == "integer" and rule["value"].get("op") != "days":
        yield "only days are a whole number that is computed."
    for one in (*rule.get("requires", ()), *rule.get("cases", ())):
        yield from item_conditions.node_errors(one["when"], form, before)
    for one in rule.get("cases", ()):
        if one["code"] not in dict(item.codes):
            yield f"{one['code']!r} is no code of {item.identifier}."
    if "value" in rule:
        yield from _value_errors(rule["value"], form, before)


def _case(form: Form, cases: list[Mapping[str, Any]], answers: Answers) -> str:
    """The first case that holds; none after one that can't be told."""
    for one in cases:
        truth = item_conditions.holds(one["when"], answers)
        if truth is Truth.YES:
            return str(one["code"])
        if truth is Truth.UNKNOWN:
            unknown = sorted(item_conditions.named(one["when"]) - set(answers))
            raise NotEvaluableError(_lacking(form, unknown))
    raise NotEvaluableError("None of the cases of its rule holds.")


def _number(form: Form, node: Expression, answers: Answers) -> float:
    if "item" in node:
        name = node["item"]
        if name not in answers:
            raise NotEvaluableError(_lacking(form, [name]))
        return float(answers[name])
    operator = node["op"]
    if operator in SPANS:
        return _span(form, node, answers)
    parts = [_number(form, one, answers) for one in node["of"]]
    if operator in PICKS:
        return max(parts) if operator == "greater" else min(parts)
    first, second = parts
    if operator == "subtract":
        return first - second
    if operator == "divide" and second == 0:
        raise NotEvaluableError(f"{_words(form, node['of'][1])} is 0.")
    found = first / second if operator == "divide" else first * second
    if not math.isfinite(found):
        raise NotEvaluableError("The result is no number that can be kept.")
    return found


def _span(form: Form, node: Expression, answers: Answers) -> float:
    """Days from one day to another, the first of those named that are answered."""
    days = (_day(form, node["to"], answers) - _day(form, node["from"], answers)).days
    return days if node["op"] == "days" else days / DAYS_PER_MONTH


def _day(form: Form, names: list[str], answers: Answers) -> date:
    name = next((one for one in names if one in answers), None)
    if name is None:
        raise NotEvaluableError(_lacking(form, names))
    text = str(answers[name])
    try:
        return date.fromisoformat(text)
    except ValueError:
        item = form.item(name)
        label = item.label if item else name
        raise NotEvaluableError(f"{label} is known as {text} only, not to the day.") from None


def _words(form: Form, node: Expression) -> str:
    if "item" in node:
        return _label(form, node["item"])
    operator = node["op"]
    if operator in SPANS:
        ends = [" or ".join(_label(form, one) for one in node[end]) for end in ("from", "to")]
        rule = "" if operator == "days" else f", of {DAYS_PER_MONTH} days each"
        return f"{operator} from {ends[0]} to {ends[1]}{rule}"
    parts = [_words(form, one) for one in node["of"]]
    if operator in PICKS:
        return f"{PICKS[operator]} ({'; '.join(parts)})"
    sides = [f"({one})" if "of" in node["of"][i] else one for i, one in enumerate(parts)]
    return f" {SIGNS[operator]} ".join(sides)


def _lacking(form: Form, names: list[str]) -> str:
    said = " or ".join(_label(form, one) for one in names)
    return f"There is no value of {said}."[:LONGEST_REASON]


def _label(form: Form, name: str) -> str:
    item = form.item(name)
    return item.label if item else name


def _value_errors(node: Expression, form: Form, known: list[str]) -> Iterator[str]:
    if "item" in node:
        yield from _named(node["item"], form, known, NUMBERS, "a number")
        return
    if node["op"] in SPANS:
        for name in (*node.get("from", ()), *node.get("to", ())):
            yield from _named(name, form, known, _DATES, "a date")
        if not (node.get("from") and node.get("to")):
            yield f"{node['op']} are counted from a date to a date."
        return
    parts = node.get("of", ())
    if len(parts) < 2 or (node["op"] in SIGNS and len(parts) != 2):
        yield f"{node['op']} takes two parts."
    for one in parts:
        yield from _value_errors(one, form, known)


def _named(
    name: str, form: Form, known: list[str], types: frozenset[str], kind: str
) -> Iterator[str]:
    item = form.item(name)
    if item is None or name not in known:
        yield f"there is no earlier item {name!r}."
    elif item.type not in types:
        yield f"{name} is {item.type}, expected is {kind}."
