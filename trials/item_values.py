"""What was entered for an item of a form: text in, a typed value out, or why it is none.

Numbers come with a point or a comma, dates as ISO 8601 and only as precise as their source. A
value that is missing says why, by a code. The one mistake to fear is an empty field read as an
answer: nothing is not "no", and not "none".
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from trials import item_computations, item_conditions, spans
from trials.case_report_forms import (
    MISSING,
    MISSING_WORDS,
    NEEDS_REASON,
    NOT_EVALUABLE,
    NUMBERS,
    Form,
    Item,
    Limits,
)
from trials.kleene import Truth

LONGEST_TEXT = 4000
LONGEST_REASON = 200
# Clocks of a site and of the server may differ by as much.
CLOCKS = timedelta(minutes=5)
_INTEGER = re.compile(r"[+-]?[0-9]{1,15}")
# As many places as a number may have that a program sent and a page shows again.
_DECIMAL = re.compile(r"[+-]?([0-9]{1,16}([.,][0-9]{0,25})?|[.,][0-9]{1,25})")
_PARTIAL = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}")
_TRUTHS = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}
_UNCLEAN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


class ItemError(ValueError):
    """A value that can't be one of its item; `code` is stable, `message` says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Given:
    """What was entered: a value as text, number, truth or list; or a code why there is none."""

    value: Any = None
    missing: str = ""
    reason: str = ""

    @property
    def is_empty(self) -> bool:
        return _is_blank(self.value) and not self.missing


@dataclass(frozen=True, slots=True)
class Entered:
    """A typed value, or the code and reason that say why it is missing."""

    value: Any = None
    missing: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """The time and place that dates are held against: now, on the calendar of the site."""

    now: datetime
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Checked:
    """A whole form: typed values by item, and what is wrong by item."""

    values: Mapping[str, Entered]
    errors: Mapping[str, ItemError]


def given(raw: Any) -> Given:
    """What was entered, as it is sent and kept: a value, or an object that says why there is none.

    >>> given({"missing": "ND", "reason": "cuff broken"}).missing, given(72).value
    ('ND', 72)
    """
    if not isinstance(raw, Mapping):
        return Given(raw)
    parts = {key: raw.get(key) or "" for key in ("missing", "reason")}
    if set(raw) - {"value", *parts} or not all(isinstance(one, str) for one in parts.values()):
        raise ItemError("wrong-type", "Send a value, or an object with missing and reason.")
    return Given(raw.get("value"), **parts)


def raw(given: Given) -> Any:
    """A `Given` as it is kept.

    >>> raw(Given("72")), raw(Given(missing="NK"))
    ('72', {'missing': 'NK', 'reason': ''})
    """
    if not given.missing:
        return given.value
    kept = {"missing": given.missing, "reason": given.reason}
    return kept if _is_blank(given.value) else {"value": given.value, **kept}


def checked(form: Form, given: Mapping[str, Given], *, at: Moment) -> Checked:
    """Everything entered in a form, as it would be kept.

    What is asked follows from the typed answers, so a wrong answer to one item leaves those
    that hang on it unasked until it is right.
    """
    values: dict[str, Entered] = {}
    errors: dict[str, ItemError] = {}
    for item in form.items:
        one = given.get(item.identifier, Given())
        if one.is_empty:
            continue
        if item.computed is not None:
            errors[item.identifier] = _computed(form, item)
            continue
        try:
            values[item.identifier] = entered(item, one, at=at)
        except ItemError as error:
            errors[item.identifier] = error
    asked = item_conditions.asked(form, answers(values))
    for item in form.items:
        name = item.identifier
        if item.computed is not None:
            continue
        if name not in asked and name in values:
            errors.setdefault(name, _not_asked(form, item))
        elif name in asked and item.is_required and name not in values and name not in errors:
            errors[name] = _required(item)
        elif name in values and name not in errors:
            _note_order(item, values, errors, form, at)
    unknown = sorted(set(given) - {one.identifier for one in form.items})
    errors |= {
        name: ItemError("no-such-item", f"The form has no item {name!r:.60}.") for name in unknown
    }
    kept = {name: one for name, one in values.items() if name not in errors}
    return Checked(kept if errors else with_computed(form, kept), errors)


def with_computed(form: Form, values: Mapping[str, Entered]) -> dict[str, Entered]:
    """Values with those that follow from them; what can't be computed says why."""
    found = dict(values)
    for item in form.items:
        if item.computed is None:
            continue
        known = answers(found)
        if item.condition and item_conditions.holds(item.condition, known) is not Truth.YES:
            continue
        try:
            found[item.identifier] = Entered(item_computations.value_of(form, item, known))
        except item_computations.NotEvaluableError as error:
            found[item.identifier] = Entered(missing=NOT_EVALUABLE, reason=str(error))
    return found


def answers(values: Mapping[str, Entered]) -> dict[str, Any]:
    """Typed answers by item, as conditions read them; what is missing is none."""
    return {name: one.value for name, one in values.items() if not one.missing}


def entered(item: Item, given: Given, *, at: Moment) -> Entered:
    """One typed value; raises ItemError.

    >>> from datetime import UTC
    >>> at = Moment(datetime(2026, 3, 2, 12, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
    >>> entered(Item("pulse", "Pulse", "integer"), Given("72"), at=at).value
    72
    """
    if given.missing:
        return _missing(item, given)
    value = _typed(item, given.value, at)
    if item.type in NUMBERS:
        _require_within(item, value)
    if item.type in {"date", "partial_date", "datetime"} and not item.may_lie_ahead:
        _require_past(item, value, at)
    return Entered(value)


def is_unusual(item: Item, value: Any) -> bool:
    """Whether a number lies outside its soft limits: kept, and asked about."""
    return item.type in NUMBERS and value is not None and not _within(value, item.soft)


def beyond(item: Item, entry: Entered) -> str:
    """Why a number can't stand in an item, empty if it can: its hard limits."""
    if item.type not in NUMBERS or entry.value is None or _within(entry.value, item.hard):
        return ""
    return f"{entry.value:g} is out of range, which is {limits_words(item.hard, item.unit)}"


def shown(item: Item, entry: Entered) -> str:
    """A value in words, with its unit; a missing one says why.

    >>> shown(Item("pulse", "Pulse", "integer", unit="/min"), Entered(72))
    '72 /min'
    >>> shown(Item("pulse", "Pulse", "integer"), Entered(missing="ND", reason="cuff broken"))
    'Not done: cuff broken'
    """
    if entry.missing:
        label = MISSING_WORDS.get(entry.missing, entry.missing)
        return f"{label}: {entry.reason}" if entry.reason else label
    codes = dict(item.codes)
    if item.computed is not None and isinstance(entry.value, float):
        return f"{entry.value:.4g} {item.unit}".rstrip()
    if isinstance(entry.value, bool):
        return "Yes" if entry.value else "No"
    if isinstance(entry.value, list):
        return ", ".join(codes.get(str(one), str(one)) for one in entry.value) or "None of them"
    text = codes.get(entry.value, f"{entry.value}")
    if item.type == "datetime":
        text = text.replace("T", " ", 1)
    return f"{text} {item.unit}".rstrip()


def limits_words(limits: Limits, unit: str) -> str:
    """Limits as a person says them.

    >>> limits_words((40, None), "/min"), limits_words((40, 180), "/min")
    ('at least 40 /min', '40 to 180 /min')
    """
    low, high = limits
    if low is not None and high is not None:
        return f"{low:g} to {high:g} {unit}".rstrip()
    side, limit = ("at least", low) if low is not None else ("at most", high)
    return "" if limit is None else f"{side} {limit:g} {unit}".rstrip()


def _is_blank(value: Any) -> bool:
    return value in (None, "", []) or (isinstance(value, str) and not value.strip())


def _missing(item: Item, given: Given) -> Entered:
    if given.missing not in item.missing:
        known = ", ".join(f"{one} ({MISSING[one]})" for one in item.missing) or "none"
        raise ItemError("no-such-code", f"{item.label} may be missing as: {known}.")
    if not _is_blank(given.value):
        raise ItemError("value-and-code", f"{item.label}: give a value or why it is missing.")
    reason = given.reason.strip()
    if given.missing in NEEDS_REASON and len(reason) < 3:
        raise ItemError("reason-missing", f"{item.label} was not done: say why.")
    if len(reason) > LONGEST_REASON or _UNCLEAN.search(reason):
        raise ItemError("reason-too-long", f"Say why in {LONGEST_REASON} plain characters.")
    return Entered(missing=given.missing, reason=reason)


def _typed(item: Item, value: Any, at: Moment) -> Any:
    if item.type == "multi_choice":
        return _chosen(item, value)
    if item.type == "yes_no" and isinstance(value, bool):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if item.type in NUMBERS and is_number:
        return _number(item, value)
    if not isinstance(value, str):
        raise ItemError("wrong-type", f"{item.label} is {_expected(item)}, got {value!r:.60}.")
    text = value.strip()
    readers = {
        "integer": _integer,
        "decimal": _decimal,
        "date": _date,
        "partial_date": _partial,
        "time": _time,
        "datetime": lambda item, text: _datetime(item, text, at.zone),
        "choice": _choice,
        "yes_no": _truth,
        "text": _text,
    }
    return readers[item.type](item, text)


def _expected(item: Item) -> str:
    return {"yes_no": "yes or no", "choice": "one code", "text": "a text"}.get(
        item.type, f"{item.type.replace('_', ' ')}"
    )


def _number(item: Item, value: float) -> float:
    """A number that came as one: right as it is if it is finite, and whole where it has to be."""
    if item.type == "integer":
        is_whole = isinstance(value, int) or value.is_integer()
        return _integer(item, f"{value:.0f}" if is_whole and abs(value) < 1e15 else repr(value))
    if not abs(value) <= sys.float_info.max:
        raise _not_a_number(item, repr(value))
    return float(value)


def _integer(item: Item, text: str) -> int:
    text = re.sub(r"\.0$", "", text)
    if not _INTEGER.fullmatch(text):
        raise ItemError("not-an-integer", f"{item.label} is a whole number, got {text!r:.60}.")
    return int(text)


def _not_a_number(item: Item, text: str) -> ItemError:
    return ItemError("not-a-number", f"{item.label} is a number such as 36.5, got {text!r:.60}.")


def _decimal(item: Item, text: str) -> float:
    if not _DECIMAL.fullmatch(text):
        try:
            number = float(text) if "e" in text.lower() else math.nan
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
        raise _not_a_number(item, text)
    return float(text.replace(",", "."))


def _date(item: Item, text: str) -> str:
    return _calendar(item, text, whole=True)


def _partial(item: Item, text: str) -> str:
    return _calendar(item, text, whole=False)


def _calendar(item: Item, text: str, *, whole: bool) -> str:
    parts = text.split("-")
    try:
        is_date = bool(_PARTIAL.fullmatch(text)) and (len(parts) == 3 or not whole)
        date(*(int(part) for part in [*parts, "1", "1"][:3]))
    except ValueError:
        is_date = False
    if not is_date:
        known = "2026-03-02" if whole else "2026-03-02, 2026-03 or 2026"
        raise ItemError("not-a-date", f"{item.label} is a date as {known}, got {text!r:.60}.")
    return text


def _time(item: Item, text: str) -> str:
    try:
        is_time = bool(_TIME.fullmatch(text)) and bool(time.fromisoformat(text) or True)
    except ValueError:
        is_time = False
    if not is_time:
        raise ItemError("not-a-time", f"{item.label} is a time as 08:15, got {text!r:.60}.")
    return text


def _datetime(item: Item, text: str, zone: ZoneInfo) -> str:
    """A moment with its zone; a wall clock without one is that of the site."""
    try:
        moment = datetime.fromisoformat(text.replace(" ", "T", 1))
        placed = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        # The first and last days of the calendar are not within it in every zone.
        is_known = ":" in text and spans.BEGINNING <= placed < spans.END
    except ValueError:
        is_known = False
    if not is_known:
        raise ItemError(
            "not-a-datetime",
            f"{item.label} is a day and time as 2026-03-02 08:15, got {text!r:.60}.",
        )
    # The hour that clocks skip in spring is on no clock of the site.
    shown_then = placed.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    if moment.tzinfo is None and moment != shown_then:
        raise ItemError("no-such-time", f"{item.label}: no clock of the site showed {text}.")
    return placed.isoformat(timespec="minutes" if not placed.second else "seconds")


def _choice(item: Item, text: str) -> str:
    if text not in dict(item.codes):
        known = ", ".join(code for code, _ in item.codes)
        raise ItemError("no-such-choice", f"{item.label} is one of {known}; got {text!r:.60}.")
    return text


def _chosen(item: Item, value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    for one in values:
        if not isinstance(one, str):
            raise ItemError("wrong-type", f"{item.label} is a list of codes, got {one!r:.60}.")
        _choice(item, one)
    return [code for code, _ in item.codes if code in values]


def _truth(item: Item, text: str) -> bool:
    found = _TRUTHS.get(text.lower())
    if found is None:
        raise ItemError("not-yes-or-no", f"{item.label} is yes or no, got {text!r:.60}.")
    return found


def _text(item: Item, text: str) -> str:
    if len(text) > LONGEST_TEXT or _UNCLEAN.search(text):
        raise ItemError("not-a-text", f"{item.label} has at most {LONGEST_TEXT} plain characters.")
    return text


def _within(value: float, limits: Limits) -> bool:
    low, high = limits
    return (low is None or value >= low) and (high is None or value <= high)


def _require_within(item: Item, value: float) -> None:
    if not _within(value, item.hard):
        said = limits_words(item.hard, item.unit)
        raise ItemError(
            "out-of-range", f"{item.label} is {said}, got {value:g}: check value and unit."
        )


def _require_past(item: Item, value: str, at: Moment) -> None:
    if spans.span(value, at.zone).first > at.now + CLOCKS:
        raise ItemError("lies-ahead", f"{item.label} lies ahead ({value}): check the date.")


def _required(item: Item) -> ItemError:
    codes = " or ".join(MISSING[one].lower() for one in item.missing)
    instead = f", or say that it is {codes}" if codes else ""
    return ItemError("required", f"{item.label} is asked: answer it{instead}.")


def _computed(form: Form, item: Item) -> ItemError:
    rule = item_computations.words(form, item)
    return ItemError("computed", f"{item.label} is computed and not entered: {rule}.")


def _not_asked(form: Form, item: Item) -> ItemError:
    when = item_conditions.words(item.condition or {}, form)
    return ItemError(
        "not-asked", f"{item.label} is asked only if {when}: empty it, or correct that answer."
    )


def _note_order(
    item: Item,
    values: Mapping[str, Entered],
    errors: dict[str, ItemError],
    form: Form,
    at: Moment,
) -> None:
    """A date that surely lies before one that it may not precede."""
    first, second = values.get(item.not_before), values[item.identifier]
    earlier = form.item(item.not_before)
    if not earlier or not first or first.missing or second.missing:
        return
    if (
        spans.before(spans.span(second.value, at.zone), spans.span(first.value, at.zone))
        is Truth.YES
    ):
        errors[item.identifier] = ItemError(
            "before-its-beginning",
            f"{item.label} ({second.value}) is before {earlier.label} ({first.value}).",
        )
