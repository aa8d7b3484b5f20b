"""Reports of a trial: who may see which, and each made from one look at the rows."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from reporting.blinding import Kept
from reporting.datasets import DATASETS
from reporting.models import Export, ReportDownload
from reporting.profiles import Act
from reporting.reports import REPORTS, Report
from reporting.reports.content import Content
from reporting.reports.rows import ConcealedError, LeftOutError, Rows
from reporting.selectors import blinding, report_rows
from reporting.services import opening, snapshots
from reporting.statistics.results import SOFTWARE
from trials.models import Trial, User
from trials.services import audit
from trials.services.errors import Forbidden, Refused
from trials.version import VERSION

CONCEALED = (
    "Held back: the allocation of this trial is concealed, and this report tells the tracers of "
    "scans. It is made from the rows of an unblinded export, to which a second person agrees."
)
# Roles that a report of results would unblind.
BLINDED = ("reading.view", "panel.decide")


@dataclass(frozen=True)
class Made:
    """A report as it came out, of which rows and of which moment."""

    report: Report
    trial: Trial
    content: Content
    as_of: datetime
    export: Export | None
    lacking: tuple[str, ...]

    @property
    def source(self) -> str:
        if self.export:
            return f"export {self.export.pk}, SHA-256 {self.export.sha256[:16]}"
        return "rows as they were when it was made"

    @property
    def software(self) -> tuple[tuple[str, str], ...]:
        return (("TrialTrace", VERSION), *SOFTWARE)


@dataclass(frozen=True)
class Listed:
    """A report in the list: whether it can be seen and has data, and why not.

    `export` is an unblinded one, where it can be made from the rows of such a one alone.
    """

    report: Report
    is_open: bool
    has_data: bool
    why: str
    export: Export | None = None


def require(user: User, trial: Trial, permission: str) -> None:
    """Raise Forbidden unless the user holds `permission` at all sites of the trial."""
    if (trial.pk, None) not in set(user.scopes(permission)):
        raise Forbidden(permission)


def held_back(user: User, trial: Trial, report: Report) -> str:
    """Why a report is kept from a user; empty if it is not."""
    if (trial.pk, None) not in set(user.scopes(report.permission)):
        return (
            "Held back: it sets the index test against another tracer or the truth, which your "
            "role in this trial is not shown."
        )
    if report.would_unblind and any(
        held == trial.pk for one in BLINDED for held, _ in user.scopes(one)
    ):
        return "Held back: you read scans or decide the truth in this trial, and stay blind."
    return ""


def listed(trial: Trial, *, by: User) -> list[Listed]:
    """Every report there is, with whether it has data and may be seen."""
    require(by, trial, "report.view")
    names = {name for report in REPORTS.values() for name in report.rests_on}
    filled = report_rows.filled(trial, sorted(names))
    is_concealed = blinding.is_concealed(trial)
    opened = _newest_unblinded(trial, by) if is_concealed else None
    found = []
    for report in REPORTS.values():
        has_data = bool(filled & set(report.rests_on))
        held = held_back(by, trial, report)
        if not held and report.tells_tracer and is_concealed and opened is None:
            held = CONCEALED
        why = held or ("" if has_data else report.empty)
        found.append(
            Listed(report, not held, has_data, why, opened if report.tells_tracer else None)
        )
    return found


def of_export(export: Export, *, by: User) -> list[Listed]:
    """Every report as the rows of a frozen export would make it, and why one is refused."""
    require(by, export.trial, "report.view")
    opening.require_frozen(export, by=by)
    left_out, masked = _left_out(export), _masked(export)
    filled = {
        Path(one["path"]).stem
        for one in export.manifest["files"]
        if one["path"].startswith("data/") and one["rows"]
    }
    opened = _newest_unblinded(export.trial, by) if left_out else None
    found = []
    for report in REPORTS.values():
        has_data = bool(filled & set(report.rests_on))
        held, elsewhere = held_back(by, export.trial, report), None
        lost = [one for one in report.datasets if left_out.get(one)]
        if not held and has_data and report.tells_tracer and lost:
            held, elsewhere = f"{CONCEALED} {_without(lost, left_out)}", opened
        if not held and has_data:
            held = _lacking(report, masked)
        why = held or ("" if has_data else report.empty)
        found.append(Listed(report, not held, has_data, why, elsewhere))
    return found


def _without(lost: Sequence[str], left_out: Mapping[str, Collection[str]]) -> str:
    each = "; ".join(f"{', '.join(sorted(left_out[one]))} of {one}" for one in lost)
    return f"This export leaves out {each}."


def _newest_unblinded(trial: Trial, by: User) -> Export | None:
    """The export that tells what the trial conceals, if there is one and the user may open it."""
    if (trial.pk, None) not in set(by.scopes("export.unblinded")):
        return None
    rows = Export.objects.filter(trial=trial, state=Export.State.FROZEN, is_unblinded=True)
    return rows.order_by("-pk").first()


def make(trial: Trial, name: str, *, by: User, export: Export | None = None) -> Made:
    """Make a report from rows of now, or of a frozen export of the trial."""
    require(by, trial, "report.view")
    report = REPORTS[name]
    if held := held_back(by, trial, report):
        raise Refused("held-back", held, status=403)
    if export is not None:
        found: Mapping = opening.frozen_rows(export, report.datasets, by=by)
        as_of, concealed, masked = export.as_of, _left_out(export), _masked(export)
        if as_of is None:
            raise Refused("not-frozen", "This export is not frozen: no rows are there.")
        if any(found.get(one) for one in report.rests_on) and (why := _lacking(report, masked)):
            raise Refused("left-out", why, status=403)
    else:
        with snapshots.looked() as instant:
            found, as_of = report_rows.read(trial, report.datasets), instant.as_of
            concealed, masked = blinding.concealed_columns(trial, report.datasets), {}
    # A form that the trial does not ask is no lack.
    lacking = tuple(one for one in report.datasets if one in DATASETS and one not in found)
    try:
        content = report.made(Rows(found, concealed, masked))
    except ConcealedError as error:
        raise _concealed(error) from error
    except LeftOutError as error:
        raise Refused("left-out", _needs(error.dataset, error.column), status=403) from error
    return Made(report, trial, content, as_of, export, lacking)


def _left_out(export: Export) -> dict[str, frozenset[str]]:
    """Columns that an export left out because they tell an arm or a tracer."""
    found: dict[str, set[str]] = {}
    for one in export.manifest.get("veiled", ()):
        if one["act"] == Kept.OUT and blinding.BY_ARM & set(one["tags"]):
            found.setdefault(one["dataset"], set()).add(one["column"])
    return {name: frozenset(columns) for name, columns in found.items()}


def _masked(export: Export) -> dict[str, set[str]]:
    """Columns that the privacy profile of an export left out, or left a year of."""
    found: dict[str, set[str]] = {}
    for one in export.manifest.get("touched", ()):
        if one["act"] in (Act.LEAVE_OUT, Act.YEAR):
            found.setdefault(one["dataset"], set()).add(one["column"])
    return found


def _lacking(report: Report, masked: Mapping[str, Collection[str]]) -> str:
    """Why a privacy profile leaves too little for a report; empty if it does not."""
    lacking = (one for one in report.needs if one[1] in masked.get(one[0], ()))
    return next((_needs(*one) for one in lacking), "")


def _needs(dataset: str, column: str) -> str:
    days = "the days of " if column.endswith("_at") else ""
    return (
        f"Refused: the privacy profile of this export leaves out {days}{column} of {dataset}, "
        "without which this report can't be made. Open it of now, or of an export of another "
        "profile."
    )


def _concealed(error: ConcealedError) -> Refused:
    needed = f" It needs {error.column} of {error.dataset}."
    return Refused("concealed", CONCEALED + needed, status=403)


def hand_out(made: Made, part: str, content: bytes, *, by: User) -> bytes:
    """The bytes of a file of a report; who took them, and of which rows, is kept."""
    reason = f"{made.report.title}: {part}, of {made.source}"
    with audit.action("report.downloaded", actor=by, reason=reason, trial=made.trial.pk):
        ReportDownload.objects.create(
            trial=made.trial,
            report=made.report.name,
            part=part,
            export=made.export,
            as_of=made.as_of,
            sha256=hashlib.sha256(content).hexdigest(),
            by=by,
        )
    return content
