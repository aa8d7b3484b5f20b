"""Reports of a trial: who may see which, and each made from one look at the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from reporting.datasets import DATASETS
from reporting.models import Export
from reporting.reports import REPORTS, Report
from reporting.reports.content import Content
from reporting.reports.rows import Rows
from reporting.selectors import report_rows
from reporting.services import exports, snapshots
from reporting.statistics.results import SOFTWARE
from trials.models import Trial, User
from trials.services.errors import Forbidden, Refused
from trials.version import VERSION

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
    """A report in the list: whether it can be seen and has data, and why not."""

    report: Report
    is_open: bool
    has_data: bool
    why: str


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
    return [_listed(report, filled, held_back(by, trial, report)) for report in REPORTS.values()]


def _listed(report: Report, filled: set[str], held: str) -> Listed:
    has_data = bool(filled & set(report.rests_on))
    if held:
        return Listed(report, False, has_data, held)
    return Listed(report, True, has_data, "" if has_data else report.empty)


def make(trial: Trial, name: str, *, by: User, export: Export | None = None) -> Made:
    """Make a report from rows of now, or of a frozen export of the trial."""
    require(by, trial, "report.view")
    report = REPORTS[name]
    if held := held_back(by, trial, report):
        raise Refused("held-back", held, status=403)
    if export is not None:
        found: Mapping = exports.frozen_rows(export, report.datasets, by=by)
        as_of = export.as_of
        if as_of is None:
            raise Refused("not-frozen", "This export is not frozen: no rows are there.")
    else:
        with snapshots.looked() as instant:
            found, as_of = report_rows.read(trial, report.datasets), instant.as_of
    # A form that the trial does not ask is no lack.
    lacking = tuple(one for one in report.datasets if one in DATASETS and one not in found)
    content = report.made(Rows(found))
    return Made(report, trial, content, as_of, export, lacking)
