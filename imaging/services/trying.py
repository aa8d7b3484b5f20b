"""Tried on the archive before it holds: rules of another protocol version, another engine.

Only headers are read: a factor that changes by some percent changes every SUV of its series
by as much. Nothing is kept of a try.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imaging import conformance, suv
from imaging.headers import PetHeader
from imaging.models import Quantification, Series
from imaging.selectors import volumes
from imaging.services import quantification, reconciliation
from trials import permissions
from trials.models import (
    Injection,
    PlannedScan,
    ProtocolVersion,
    ScheduledScan,
    Site,
    Trial,
    User,
)
from trials.services import injections

# Floating point of another machine or library is no change of an engine.
SAME = 1e-9


@dataclass(frozen=True)
class Otherwise:
    """A series that other rules judge otherwise: what is found now, and what would be."""

    series: Series
    gone: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True)
class Changed:
    """A run whose factor another engine gives otherwise; None is no number."""

    run: Quantification
    before: float | None
    after: float | None
    code: str

    @property
    def percent(self) -> float | None:
        """By how much every SUV of the series would change."""
        if self.before is None or self.after is None:
            return None
        return (self.after / self.before - 1.0) * 100.0


def rules(version: ProtocolVersion, *, site: Site, by: User) -> tuple[list[Otherwise], int]:
    """What the conformance rules of a version would find otherwise at a site; and of how many."""
    permissions.require(by, "version.activate", site)
    plans = {one.identifier: one for one in version.planned_scans.select_related("tracer")}
    found, count = [], 0
    for series in _series(Series.objects.filter(imaging_study__scheduled_scan__patient__site=site)):
        plan = plans.get(series.imaging_study.scheduled_scan.planned_scan.identifier)
        # A series that nothing was found out about is held to nothing, by these rules too.
        if plan is None or not _is_held(series):
            continue
        count += 1
        if one := _otherwise(series, plan):
            found.append(one)
    return found, count


def engine(trial: Trial) -> Iterator[Changed]:
    """Runs whose factor the engine of today gives otherwise than it was kept."""
    runs = Quantification.objects.filter(
        is_current=True, series__imaging_study__scheduled_scan__patient__trial=trial
    ).exclude(code=conformance.BLOCKED)
    for run in runs.select_related(
        "series__imaging_study__scheduled_scan__patient__site",
        "series__imaging_study__scheduled_scan__planned_scan__tracer",
    ).order_by("pk"):
        if changed := _changed(run):
            yield changed


def _series(rows):
    found = rows.filter(modality="PT").exclude(assembly={}).order_by("pk")
    return volumes.with_instances(
        found.select_related(
            "imaging_study__scheduled_scan__patient__site",
            "imaging_study__scheduled_scan__planned_scan__tracer",
        )
    )


def _otherwise(series: Series, plan: PlannedScan) -> Otherwise | None:
    scan = series.imaging_study.scheduled_scan
    headers = volumes.headers_of(series)
    before, after = (_judged(scan, headers, each) for each in (scan.planned_scan, plan))
    gone = tuple(text for rule, text in before.items() if after.get(rule) != text)
    new = tuple(text for rule, text in after.items() if before.get(rule) != text)
    return Otherwise(series, gone, new) if gone or new else None


def _is_held(series: Series) -> bool:
    """An uncorrected series counts only where there is none that is corrected."""
    if reconciliation.is_attenuation_corrected(volumes.headers_of(series)):
        return True
    scan = series.imaging_study.scheduled_scan
    others = _series(Series.objects.filter(imaging_study__scheduled_scan=scan))
    return not any(
        reconciliation.is_attenuation_corrected(volumes.headers_of(one)) for one in others
    )


def _judged(scan: ScheduledScan, headers: Sequence[PetHeader], plan: PlannedScan) -> dict[str, str]:
    """What rules find, in words with how much it matters: that may be all that changes."""
    stated = reconciliation.planned(scan, plan)
    found = {
        one.rule: f"{stated.severity(one.rule).capitalize()}: {one.text}"
        for one in reconciliation.findings_of(scan, headers, plan=plan)
    }
    injection = Injection.objects.filter(scheduled_scan=scan).first()
    return found | (injections.activity_findings(injection, plan.tracer) if injection else {})


def _changed(run: Quantification) -> Changed | None:
    try:
        scale = quantification.scale_of(run.series, volumes.headers_of(run.series))
    except suv.SuvRefused as refusal:
        same = run.code == refusal.code
        return None if same else Changed(run, run.suvbw_factor, None, refusal.code)
    before, after = run.suvbw_factor, scale.factor
    if before is None and after is None:
        kept = run.derivation.get("factors") or []
        same = len(kept) == len(scale.factors) and all(
            abs(one / other - 1.0) <= SAME for one, other in zip(kept, scale.factors, strict=False)
        )
        return None if same else Changed(run, None, None, "factors-by-slice")
    if before is None or after is None or abs(after / before - 1.0) > SAME:
        return Changed(run, before, after, "")
    return None
