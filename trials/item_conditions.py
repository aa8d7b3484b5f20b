"""Whether an item of a form is asked, by the answers to the items before it.

The language is that of the criteria (all, any, at least, not, comparisons), with items of the
form in the place of variables. The one mistake to fear is an item that is asked of nobody, or
of everybody, because an answer is missing: what can't be told is not asked, and told as that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trials.case_report_forms import CHOICES, NUMBERS, Form, Item
from trials.expressions import compared, nodes
from trials.kleene import Truth, all_of, any_of, at_least_of
from trials.terms import COMPARISONS, Expression

COMBINED = ("all", "any", "at_least", "not")
OPERATORS = (*COMBINED, *COMPARISONS, "between", "in", "in_any")


def holds(condition: Expression, answers: Mapping[str, Any]) -> Truth:
    """Whether a condition holds of typed answers by item; one that is missing tells nothing.

    >>> holds({"op": "eq", "var": "serious", "value": True}, {"serious": True})
    <Truth.YES: 2>
    >>> holds({"op": "ge", "var": "grade", "value": 3}, {})
    <Truth.UNKNOWN: 1>
    """
    operator = condition["op"]
    if operator == "not":
        return ~holds(condition["of"], answers)
    if operator in COMBINED:
        truths = [holds(one, answers) for one in condition["of"]]
        if operator == "at_least":
            return at_least_of(condition["n"], truths)
        return (all_of if operator == "all" else any_of)(truths)
    answer = answers.get(condition["var"])
    return Truth.UNKNOWN if answer is None else _compared(condition, answer)


def asked(form: Form, answers: Mapping[str, Any]) -> frozenset[str]:
    """The items that are asked, given the answers: those whose condition surely holds."""
    found: set[str] = set()
    for item in form.items:
        # An answer to an item that is not asked decides about no other.
        known = {name: answer for name, answer in answers.items() if name in found}
        if item.condition is None or holds(item.condition, known) is Truth.YES:
            found.add(item.identifier)
    return frozenset(found)


def errors(form: Form, item: Item) -> Iterator[str]:
    """What is wrong with the condition of an item, a sentence each."""
    order = [one.identifier for one in form.items]
    before = order[: order.index(item.identifier)]
    yield from node_errors(item.condition, form, before)


def node_errors(
    condition: Expression | None, form: Form, known: list[str] | None = None
) -> Iterator[str]:
    """What is wrong with a condition on the items of a form; only those in `known` may be named.

    Only earlier items may be, so that no two wait for each other.
    """
    names = [one.identifier for one in form.items] if known is None else known
    for node in nodes(condition):
        operator = node["op"]
        if operator not in OPERATORS:
            yield f"{operator} can't be asked of the items of a form."
        elif operator == "at_least" and not 1 <= node["n"] <= len(node["of"]):
            yield f"at_least {node['n']} of {len(node['of'])} can't be."
        elif "var" in node:
            yield from _leaf_errors(node, form, names)


def named(condition: Expression | None) -> set[str]:
    """The items that a condition names."""
    return {node["var"] for node in nodes(condition) if "var" in node}


def words(condition: Expression, form: Form) -> str:
    """A condition as a person says it.

    >>> from trials.case_report_forms import Item
    >>> form = Form("ae", "Event", (Item("serious", "Serious", "yes_no"),))
    >>> words({"op": "eq", "var": "serious", "value": True}, form)
    'Serious is yes'
    """
    operator = condition["op"]
    if operator == "not":
        return f"not ({words(condition['of'], form)})"
    if operator in COMBINED:
        parts = [words(one, form) for one in condition["of"]]
        if operator == "at_least":
            return f"at least {condition['n']} of: {'; '.join(parts)}"
        return f" {'and' if operator == 'all' else 'or'} ".join(parts)
    item = form.item(condition["var"])
    label, unit = (item.label, item.unit) if item else (condition["var"], "")
    if operator == "between":
        return f"{label} is between {condition['low']:g} and {condition['high']:g} {unit}".rstrip()
    value = condition["value"]
    if operator in {"in", "in_any"}:
        return f"{label} is {' or '.join(_shown(item, one) for one in value)}"
    how = "" if operator == "eq" else f"{COMPARISONS[operator]} "
    return f"{label} is {how}{_shown(item, value)} {unit}".rstrip()


def _compared(condition: Expression, answer: Any) -> Truth:
    operator = condition["op"]
    if operator == "between":
        return all_of(
            compared(side, answer, answer, condition[end])
            for side, end in (("ge", "low"), ("le", "high"))
        )
    expected = condition["value"]
    if operator == "in":
        return Truth.known(answer in expected)
    if operator == "in_any":
        return Truth.known(any(code in expected for code in answer))
    if operator == "eq":
        return Truth.known(type(answer) is type(expected) and answer == expected)
    return compared(operator, answer, answer, expected)


def _leaf_errors(node: Expression, form: Form, known: list[str]) -> Iterator[str]:
    name, operator = node["var"], node["op"]
    item = form.item(name)
    if item is None:
        yield f"the form has no item {name!r}."
        return
    if name not in known:
        yield f"{name} is asked later: a condition may name earlier items only."
    if not _fits(operator, item):
        yield f"{operator} can't be asked of {name}, {item.type}."
        return
    if item.type in CHOICES:
        values = node["value"] if isinstance(node["value"], list) else [node["value"]]
        unknown = [one for one in values if one not in dict(item.codes)]
        if unknown:
            yield f"{unknown} are no codes of {name}."
    elif item.type == "yes_no" and not isinstance(node["value"], bool):
        yield f"{name} is true or false, got {node['value']!r}."


def _fits(operator: str, item: Item) -> bool:
    if item.type in NUMBERS:
        # A number as entered is compared by size; whether it is the very number is no question.
        return operator in {"gt", "ge", "lt", "le", "between"}
    if item.type == "choice":
        return operator in {"eq", "in"}
    return operator == {"yes_no": "eq", "multi_choice": "in_any"}.get(item.type)


def _shown(item: Item | None, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    codes = dict(item.codes) if item else {}
    return codes.get(value, f"{value:g}" if isinstance(value, float) else str(value))
