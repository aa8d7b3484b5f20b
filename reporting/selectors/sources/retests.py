"""Scans that the protocol marks as retests, with the scans that they may be the retest of.

What is known of either side is read as one object of JSON, so that a pair is judged from one row of
one query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, Subquery, Window
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import JSONObject, RowNumber

from imaging.models import Quantification, Series
from reporting import derived
from reporting.selectors.sources.base import Computed, Source, computed, named, subject
from trials import retests
from trials.models import ScheduledScan, Trial
from trials.retests import Imaged

STATE = ScheduledScan.State
PAIR = ("planned_scan__retest", "tests", "itself")
INPUTS = (*PAIR, "patient__site__time_zone")
Facts = Mapping[str, Any]


def _retests(trial: Trial):
    given = ScheduledScan.objects.exclude(state=STATE.CANCELLED)
    tests = given.filter(
        patient=OuterRef("patient"), planned_scan__identifier=OuterRef("test_plan")
    )
    return (
        given.filter(patient__trial=trial, planned_scan__retest__has_key="of")
        .annotate(test_plan=KeyTextTransform("of", "planned_scan__retest"))
        .annotate(
            tests=ArraySubquery(_facts(tests)),
            itself=ArraySubquery(_facts(given.filter(pk=OuterRef("pk")))),
            # A key that names no scan: which one is a retest may have to stay concealed.
            retest=Window(RowNumber(), partition_by="patient", order_by="pk"),
        )
        .order_by("patient__identifier", "planned_at", "pk")
    )


def _facts(scans):
    counted = Series.objects.filter(imaging_study__scheduled_scan=OuterRef("pk"), counts=True)
    header = counted.order_by("instances__pk").values(
        of=JSONObject(
            method="instances__header__reconstruction_method",
            kernel="instances__header__convolution_kernel",
            spacing="instances__header__pixel_spacing",
            thickness="instances__header__slice_thickness",
        )
    )
    run = Quantification.objects.filter(
        series__imaging_study__scheduled_scan=OuterRef("pk"), series__counts=True, is_current=True
    ).values(of=JSONObject(uptake="uptake_minutes", factor="suvbw_factor"))
    plan, injection = "planned_scan__", "injection__"
    return (
        scans.order_by("pk")
        .annotate(header=Subquery(header[:1]), run=Subquery(run[:1]))
        .values(
            of=JSONObject(
                scan="pk",
                injected_at=F(f"{injection}injected_at"),
                net=F(f"{injection}net_activity_mbq"),
                residual=F(f"{injection}residual_activity_mbq"),
                scanner=F(f"{injection}scanner_id"),
                header="header",
                run="run",
                uptake_low=F(f"{plan}uptake_low_minutes"),
                uptake_high=F(f"{plan}uptake_high_minutes"),
                activity_low=F(f"{plan}tracer__activity_low_mbq"),
                activity_high=F(f"{plan}tracer__activity_high_mbq"),
            )
        )
    )


def _imaged(found: Facts) -> Imaged:
    run = found["run"] or {}
    at = found["injected_at"]
    return Imaged(
        injected_at=datetime.fromisoformat(at) if at else None,
        # Without a factor the run was refused, or waits for a person.
        is_measured=run.get("factor") is not None,
        uptake_minutes=_number(run.get("uptake")),
        net_activity_mbq=_number(found["net"]),
        is_residual_measured=not at or found["residual"] is not None,
        scanner=str(found["scanner"] or ""),
        reconstruction=_reconstruction(found["header"] or {}),
        window_minutes=(found["uptake_low"], found["uptake_high"]),
        limits_mbq=(found["activity_low"], found["activity_high"]),
    )


def _number(value: float | None) -> float | None:
    """A whole number comes from JSON as an integer."""
    return None if value is None else float(value)


def _reconstruction(header: Facts) -> str:
    """Method, filter and voxels; empty where the images do not name a method.

    >>> _reconstruction({"method": "OSEM", "kernel": ["G5"], "spacing": [4, 4], "thickness": 3})
    'OSEM, G5, 4 x 4 x 3 mm'
    """
    if not header.get("method"):
        return ""
    edges = [*(header.get("spacing") or ()), header.get("thickness")]
    voxel = " x ".join(f"{edge:.4g}" for edge in edges if edge is not None)
    parts = [header["method"], *(header.get("kernel") or ()), f"{voxel} mm" if voxel else ""]
    return ", ".join(filter(None, parts))


def _of_pair(read: Callable[[Imaged, Imaged], Any]) -> Computed:
    """What is read of the two, where there is one test."""

    def value(_: Facts, tests: Sequence[Facts], itself: Sequence[Facts], __: str) -> Any:
        return read(_imaged(tests[0]), _imaged(itself[0])) if len(tests) == 1 else None

    return computed(value, *INPUTS)


def _refusals(rule: Facts, tests: Sequence[Facts], itself: Sequence[Facts], zone: str) -> list[str]:
    return retests.refusals(
        rule, [_imaged(one) for one in tests], _imaged(itself[0]), ZoneInfo(zone)
    )


def _cautions(rule: Facts, tests: Sequence[Facts], itself: Sequence[Facts]) -> str | None:
    found = retests.cautions(rule, [_imaged(one) for one in tests], _imaged(itself[0]))
    return derived.words(found)


def _of_rule(name: str, *, within: str = "") -> Computed:
    return computed(
        lambda rule: named(name)(rule.get(within) if within else rule), "planned_scan__retest"
    )


def _listed(name: str) -> Computed:
    return computed(lambda rule: derived.words(rule.get(name, ())), "planned_scan__retest")


RETESTS = Source(
    _retests,
    {
        **subject("patient__"),
        "first_scan": computed(
            lambda tests: tests[0]["scan"] if len(tests) == 1 else None, "tests"
        ),
        "second_scan": "pk",
        "first_planned": "test_plan",
        "second_planned": "planned_scan__identifier",
        "tracer": "planned_scan__tracer__name",
        "is_comparable": computed(lambda *row: not _refusals(*row), *INPUTS),
        "refusals": computed(lambda *row: derived.words(_refusals(*row)), *INPUTS),
        "cautions": computed(_cautions, *PAIR),
        "interval_hours": _of_pair(retests.hours_between),
        "interval_minimum": _of_rule("minimum", within="interval"),
        "interval_maximum": _of_rule("maximum", within="interval"),
        "uptake_difference_minutes": _of_pair(retests.uptake_difference),
        "uptake_difference_limit_minutes": _of_rule("uptake_difference_minutes"),
        "activity_difference": _of_pair(retests.activity_difference),
        "activity_difference_limit": _of_rule("activity_difference_percent"),
        "first_reconstruction": _of_pair(lambda first, _: first.reconstruction or None),
        "second_reconstruction": computed(
            lambda itself: _imaged(itself[0]).reconstruction or None, "itself"
        ),
        "compared": _listed("quantities"),
        "organs": _listed("organs"),
    },
)
