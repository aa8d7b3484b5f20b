"""Test and retest: two scans of one tracer without a change between them, for repeatability.

Repeatability is of one procedure, one scanner, one place and a short time (Raunig et al., Stat
Methods Med Res 2015;24:27); what differs in any of these is another thing and refused by name. The
mistake to fear is a difference of uptake time or reconstruction that counts as that of the
measurement, so that a true change later hides in a limit that is too wide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import Any

from trials import spans
from trials.answer_words import duration

Definition = Mapping[str, Any]
Found = Iterator[tuple[tuple[str | int, ...], str]]
_SOME_DAY = datetime(2026, 1, 1, 12, tzinfo=UTC)
# What may be compared of lesions, by its name in a trial file: the finding of a read, and words.
QUANTITIES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "suvmax": ("SUVMAX", "SUVmax"),
        "suvpeak": ("SUVPEAK", "SUVpeak"),
        "suvmean": ("SUVMEAN", "SUVmean"),
        "volume": ("VOLUME", "volume (MTV)"),
        "total_uptake": ("UPTAKE", "total uptake (TLG)"),
    }
)
# Why two scans do not compare, by code; each keeps the pair out of every number. That a retest was
# not done yet is said by the cut-off of an export, never by the record.
REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        "no-test-scan": "no scan that it would be the retest of",
        "several-test-scans": "several scans that it could be the retest of",
        "not-yet": "retest not done by the data cut-off",
        "not-injected": "no injection recorded of one of the two",
        "not-measured": "one of the two not measured",
        "before-the-test": "retest injected before the test",
        "interval-too-short": "interval shorter than the protocol allows",
        "interval-too-long": "interval longer than the protocol allows",
        "uptake-time-not-known": "uptake time of one of the two not known",
        "uptake-time-differs": "uptake times differ by more than the protocol allows",
        "activity-differs": "injected activities differ by more than the protocol allows",
        "scanner-not-known": "scanner of one of the two not recorded",
        "scanner-differs": "another scanner",
        "reconstruction-not-known": "reconstruction of one of the two not stated",
        "reconstruction-differs": "another reconstruction",
    }
)
# What is said of a pair that compares all the same.
CAUTIONS: Mapping[str, str] = MappingProxyType(
    {
        "uptake-outside-window": "an uptake time outside the protocol's window",
        "activity-outside-limits": "an injected activity outside the protocol's limits",
        "residual-not-measured": "a residual activity not measured",
        "no-limit-of-uptake-time": "the protocol limits no difference of uptake times",
        "no-limit-of-activity": "the protocol limits no difference of activities",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imaged:
    """What is known of one scan of the two; None or empty is not known.

    `window_minutes` and `limits_mbq` are what the protocol asks of the scan by itself.
    """

    injected_at: datetime | None = None
    is_measured: bool = False
    uptake_minutes: float | None = None
    net_activity_mbq: float | None = None
    is_residual_measured: bool = True
    scanner: str = ""
    reconstruction: str = ""
    window_minutes: tuple[float | None, float | None] = (None, None)
    limits_mbq: tuple[float | None, float | None] = (None, None)


def hours_between(first: Imaged, second: Imaged) -> float | None:
    """From the injection of the test to that of the retest."""
    if first.injected_at is None or second.injected_at is None:
        return None
    return (second.injected_at - first.injected_at).total_seconds() / 3600


def uptake_difference(first: Imaged, second: Imaged) -> float | None:
    """Retest less test, in minutes."""
    if first.uptake_minutes is None or second.uptake_minutes is None:
        return None
    return second.uptake_minutes - first.uptake_minutes


def activity_difference(first: Imaged, second: Imaged) -> float | None:
    """Retest less test, in percent of the test.

    >>> activity_difference(Imaged(net_activity_mbq=100.0), Imaged(net_activity_mbq=125.0))
    25.0
    """
    if not first.net_activity_mbq or second.net_activity_mbq is None:
        return None
    return (second.net_activity_mbq / first.net_activity_mbq - 1) * 100


def refusals(rule: Definition, tests: Sequence[Imaged], retest: Imaged, zone: tzinfo) -> list[str]:
    """Codes of REFUSALS, all that hold; `tests` are the scans that it could be the retest of."""
    if len(tests) != 1:
        return ["several-test-scans" if tests else "no-test-scan"]
    test = tests[0]
    if test.injected_at is None or retest.injected_at is None:
        return ["not-injected"]
    found = [*_interval(rule.get("interval") or {}, test.injected_at, retest.injected_at, zone)]
    if not (test.is_measured and retest.is_measured):
        return [*found, "not-measured"]
    return [*found, *_apart(rule, test, retest), *_other_ways(test, retest)]


def _interval(stated: Definition, first: datetime, second: datetime, zone: tzinfo) -> Iterator[str]:
    """Both ends belong to it; days are those of the site, hours are time."""
    if second <= first:
        yield "before-the-test"
        return
    minimum, maximum = stated.get("minimum"), stated.get("maximum")
    if minimum and second < spans.shifted(first, minimum, zone):
        yield "interval-too-short"
    if maximum and second > spans.shifted(first, maximum, zone, to_end_of_day=True):
        yield "interval-too-long"


def _apart(rule: Definition, test: Imaged, retest: Imaged) -> Iterator[str]:
    minutes, percent = uptake_difference(test, retest), activity_difference(test, retest)
    most = rule.get("uptake_difference_minutes")
    if minutes is None:
        yield "uptake-time-not-known"
    elif most is not None and abs(minutes) > most:
        yield "uptake-time-differs"
    most = rule.get("activity_difference_percent")
    if most is not None and percent is not None and abs(percent) > most:
        yield "activity-differs"


def _other_ways(test: Imaged, retest: Imaged) -> Iterator[str]:
    for name in ("scanner", "reconstruction"):
        one, other = getattr(test, name), getattr(retest, name)
        if not (one and other):
            yield f"{name}-not-known"
        elif one != other:
            yield f"{name}-differs"


def cautions(rule: Definition, tests: Sequence[Imaged], retest: Imaged) -> list[str]:
    """Codes of CAUTIONS, all that hold."""
    both = [*tests, retest]
    found = []
    if any(_is_outside(one.uptake_minutes, one.window_minutes) for one in both):
        found.append("uptake-outside-window")
    if any(_is_outside(one.net_activity_mbq, one.limits_mbq) for one in both):
        found.append("activity-outside-limits")
    if not all(one.is_residual_measured for one in both):
        found.append("residual-not-measured")
    if rule.get("uptake_difference_minutes") is None:
        found.append("no-limit-of-uptake-time")
    if rule.get("activity_difference_percent") is None:
        found.append("no-limit-of-activity")
    return found


def _is_outside(value: float | None, limits: tuple[float | None, float | None]) -> bool:
    low, high = limits
    return value is not None and (
        (low is not None and value < low) or (high is not None and value > high)
    )


def errors(definition: Definition) -> Found:
    """What is wrong with retests in a trial file that its schema can't see."""
    scans = {one["identifier"]: one for one in definition["planned_scans"]}
    for i, scan in enumerate(definition["planned_scans"]):
        if rule := scan.get("retest"):
            path = ("planned_scans", i, "retest")
            yield from _of_which(path, scan, rule["of"], scans)
            yield from _lengths((*path, "interval"), rule.get("interval") or {})


def _of_which(
    path: tuple[str | int, ...], scan: Definition, of: str, scans: Mapping[str, Definition]
) -> Found:
    name, path = scan["identifier"], (*path, "of")
    test = scans.get(of)
    if test is None:
        yield path, f"expected one of {[one for one in scans if one != name]}, got {of!r}."
    elif of == name:
        yield path, f"{name} can't be the retest of itself."
    elif test["tracer"] != scan["tracer"]:
        yield (
            path,
            f"{of} is with {test['tracer']} and {name} with {scan['tracer']}: a retest is with the "
            "tracer of its test.",
        )
    elif test.get("retest"):
        yield (
            path,
            f"{of} is itself a retest, of {test['retest']['of']}: name that one, so that each is "
            "compared with the same test.",
        )


def _lengths(path: tuple[str | int, ...], interval: Definition) -> Found:
    stated = {key: interval[key] for key in ("minimum", "maximum") if interval.get(key)}
    bad = {
        key: text
        for key, text in stated.items()
        if not spans.is_duration(text) or text.startswith("-")
    }
    for key, text in bad.items():
        yield (*path, key), f"{text!r} is no duration such as PT24H or P7D."
    if len(stated) == 2 and not bad:
        least = spans.shifted(_SOME_DAY, stated["minimum"], UTC)
        if least > spans.shifted(_SOME_DAY, stated["maximum"], UTC, to_end_of_day=True):
            yield (
                path,
                f"the minimum {stated['minimum']} is longer than the maximum {stated['maximum']}.",
            )


def words(rule: Definition, labels: Mapping[str, str]) -> list[str]:
    """A rule in sentences: of which scan, when, what is compared, what may differ.

    >>> words({"of": "ptf", "interval": {"minimum": "PT24H", "maximum": "P7D"},
    ...        "quantities": ["suvmax"], "uptake_difference_minutes": 5},
    ...       {"ptf": "First PET"})[0]
    'Retest of First PET, 24 hours to 7 days after its injection.'
    """
    return [
        f"Retest of {labels.get(rule['of'], rule['of'])}, {_when(rule.get('interval') or {})}.",
        f"Compared: {_compared(rule)}.",
        _may_differ("Uptake times", rule.get("uptake_difference_minutes"), "min"),
        _may_differ("Injected activities", rule.get("activity_difference_percent"), "%"),
        "Scanner and reconstruction must be the same.",
    ]


def _when(interval: Definition) -> str:
    least, most = interval.get("minimum"), interval.get("maximum")
    after = "after its injection"
    if least and most:
        return f"{duration(least)} to {duration(most)} {after}"
    if least:
        return f"{duration(least)} {after} or later"
    return f"within {duration(most)} {after}" if most else "at an interval that is not stated"


def _compared(rule: Definition) -> str:
    parts = []
    if lesions := [QUANTITIES[name][1] for name in rule.get("quantities", ())]:
        parts.append(f"{', '.join(lesions)} of lesions")
    if named := [name.replace("_", " ") for name in rule.get("organs", ())]:
        parts.append(f"uptake of {', '.join(named)}")
    return "; ".join(parts)


def _may_differ(what: str, most: float | None, unit: str) -> str:
    if most is None:
        return f"{what} may differ by an amount that is not stated: not checkable."
    return f"{what} may differ by at most {most:g} {unit}."
