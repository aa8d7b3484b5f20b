"""The data cut-off: what happened later stays out of an export, whenever it was written down.

Apart from the instant the data are of: that one says what was known, this one of what. Each dataset
names the column of the event (`EVENTS`); without one, as a result of a scan has none, a row goes
with its scan and its patient. A patient, or a scan, that came later takes all its rows along.

Of two scans the second may be the one that came later: a test whose retest is not done yet tells
of itself all the same (`PENDING`), with nothing of the retest but that it is awaited.

A moment counts by the day of the patient's site. What is not dated stays, and so does a date known
to the month or year that may lie before: both are counted, for a person to look at.

The analysis populations are in no such export (`OF_WHOLE_RECORD`). Their rules are judged on all
that is on record, and a review may have decided on what came after the cut-off: a unit would be in
by an injection that `scans` does not have.
ICH E3 and E9 name the date; the rule for what is undated is ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from types import MappingProxyType
from typing import Any

from reporting.datasets.columns import SUBJECT, Dataset, Type

RULE = (
    "Left out is a row whose event is on a day after the cut-off, by the clock of its site, and "
    "every row of a patient or scan left out so. A row without a date of its event stays. So "
    "does a test scan whose retest came later, without anything of the retest, and of eligibility "
    "the assessment that was the newest until then, whatever was assessed later. The analysis "
    "populations, which are judged on the whole record, are left out as a dataset."
)
# Datasets whose rows can't be cut.
OF_WHOLE_RECORD = frozenset({"populations"})
SCANS = ("scan", "first_scan", "second_scan", "baseline_scan")
# The column that dates the event of a row; empty where only its scan or patient does.
EVENTS: Mapping[str, str] = MappingProxyType(
    {
        "patients": "consented_at",
        "consents": "signed_at",
        "evidence": "observed_at",
        "eligibility": "assessed_at",
        "allocations": "allocated_at",
        "scans": "injected_at",
        "effective_dose": "",
        "retests": "",
        "series": "",
        "conformance": "",
        "lesions": "",
        "regions": "",
        "organs": "",
        "ratios": "",
        "grown_ratios": "",
        "comparisons": "",
        "pairs": "",
        "findings": "",
        "reader_agreement": "",
        "recist_lesions": "",
        "responses": "",
        "deviations": "occurred_at",
        "queries": "opened_at",
        "batches": "calibrated_at",
        "tracer_movements": "happened_at",
        "accountability_reviews": "reviewed_at",
        "monitoring_visits": "held_on",
        "action_items": "raised_at",
        "hypotheses": "",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What a row of two scans still tells when the second came after the cut-off.

    `kept` are the columns of the first scan and of the protocol, `told` what others say; all that
    neither names are empty, so that a column that comes later tells nothing by itself.
    """

    first: str
    second: str
    kept: frozenset[str]
    told: Mapping[str, Any]

    def row(self, names: Sequence[str], row: Sequence[Any]) -> list[Any]:
        return [
            self.told.get(name, cell if name in self.kept else None)
            for name, cell in zip(names, row, strict=True)
        ]


PENDING: Mapping[str, Pending] = MappingProxyType(
    {
        "retests": Pending(
            first="first_scan",
            second="second_scan",
            kept=frozenset(
                {
                    *(one.name for one in SUBJECT),
                    "retest",
                    "first_scan",
                    "first_planned",
                    "second_planned",
                    "tracer",
                    "interval_minimum",
                    "interval_maximum",
                    "uptake_difference_limit_minutes",
                    "activity_difference_limit",
                    "first_reconstruction",
                    "compared",
                    "organs",
                    "record_table",
                }
            ),
            told=MappingProxyType({"is_comparable": False, "refusals": "not-yet"}),
        )
    }
)


class UndatedError(ValueError):
    """A dataset of which nobody said what dates its rows."""


def event_of(dataset: Dataset, *, is_form: bool = False) -> str:
    """The column that dates the rows of a dataset; of a form the item that SDTM dates it by.

    Raises
    ------
    UndatedError
        When nobody said it.
    """
    if is_form:
        return _event_of_form(dataset)
    if dataset.name not in EVENTS:
        raise UndatedError(
            f"nobody said what dates a row of {dataset.name}: name it in reporting.cut_off"
        )
    return EVENTS[dataset.name]


def _event_of_form(dataset: Dataset) -> str:
    """The start of an event before any other date of it."""
    dated = [one for one in dataset.columns if one.type in (Type.MOMENT, Type.PARTIAL_DATE)]
    for ending in ("STDTC", "DTC"):
        for one in dated:
            if one.origin.endswith(ending) and not one.origin.endswith("ENDTC"):
                return one.name
    return ""


@dataclass(slots=True)
class Count:
    """What a cut-off did to a dataset: rows left out, and rows that stay without a clear date.

    `pending` rows stay without what they would tell of a second scan that came later.
    """

    dataset: str
    column: str
    left_out: int = 0
    undated: int = 0
    pending: int = 0


@dataclass
class CutOff:
    """A cut-off at the end of a day; `zones` are the clocks of the sites by their codes.

    `patients` and `scans` are those left out, by unique identifier and number.
    """

    day: date
    zones: Mapping[str, tzinfo] = field(default_factory=dict)
    patients: set[str] = field(default_factory=set)
    scans: set[int] = field(default_factory=set)
    counts: dict[str, Count] = field(default_factory=dict)

    @property
    def ends(self) -> dict[str, datetime]:
        """When the day ends, by the code of each site."""
        after = self.day + timedelta(days=1)
        return {site: datetime.combine(after, time.min, zone) for site, zone in self.zones.items()}

    @property
    def in_order(self) -> list[Count]:
        """What became of each dataset, by its name."""
        return [self.counts[name] for name in sorted(self.counts)]

    def rows(
        self, dataset: Dataset, column: str, rows: Iterable[Sequence[Any]]
    ) -> Iterator[Sequence[Any]]:
        """The rows that stay; `counts` has what became of the others."""
        count = self.counts[dataset.name] = Count(dataset.name, column)
        names = dataset.column_names
        dated, site = _place(names, column), _place(names, "site")
        patient = _place(names, "usubjid")
        scans = [names.index(one) for one in SCANS if one in names]
        pending = PENDING.get(dataset.name)
        for row in rows:
            if pending is not None and self._is_pending(pending, names, row):
                count.pending += 1
                yield pending.row(names, row)
                continue
            zone = self.zones.get(row[site], UTC) if site is not None else UTC
            is_later = None if dated is None else later(row[dated], self.day, zone)
            of_none = patient is not None and row[patient] in self.patients
            if is_later or of_none or any(row[place] in self.scans for place in scans):
                count.left_out += 1
                continue
            if dated is not None and is_later is None:
                count.undated += 1
            yield row

    def _is_pending(self, rule: Pending, names: Sequence[str], row: Sequence[Any]) -> bool:
        """Whether the second of two scans came later, and the first and the patient did not."""
        cells = dict(zip(names, row, strict=True))
        return (
            cells[rule.second] in self.scans
            and cells[rule.first] is not None
            and cells[rule.first] not in self.scans
            and cells["usubjid"] not in self.patients
        )


def later(value: Any, day: date, zone: tzinfo) -> bool | None:
    """Whether an event was after a day; None where its date does not tell.

    >>> day = date(2026, 3, 15)
    >>> later("2026-03-16", day, UTC), later("2026-03-15", day, UTC), later("2026-03", day, UTC)
    (True, False, None)
    >>> later("2026-04", day, UTC), later("2026-02", day, UTC), later(None, day, UTC)
    (True, False, None)
    >>> from zoneinfo import ZoneInfo
    >>> at = datetime(2026, 3, 15, 23, 30, tzinfo=UTC)
    >>> later(at, day, UTC), later(at, day, ZoneInfo("Europe/Berlin"))
    (False, True)
    >>> later("2026-03-15T23:30:00+00:00", day, ZoneInfo("Europe/Berlin"))
    True
    """
    if value in (None, ""):
        return None
    moment = value if isinstance(value, datetime) else _moment(str(value))
    if moment is not None:
        return moment.astimezone(zone).date() > day
    text, known = str(value)[:10], day.isoformat()
    known = known[: len(text)]
    if text != known:
        return text > known
    return False if len(text) == len("2026-03-15") else None


def _moment(text: str) -> datetime | None:
    """A text that tells a time with its offset; a date, or a time of no offset, is none."""
    if "T" not in text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else None


def _place(names: Sequence[str], name: str) -> int | None:
    return names.index(name) if name in names else None
