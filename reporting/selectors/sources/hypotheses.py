"""Hypotheses of the newest version of a trial's protocol, one row each, from the trial file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import F, Func, IntegerField, JSONField, Value
from django.db.models.fields.json import KeyTransform

from reporting.selectors.sources.base import Computed, Source, computed, named
from trials.models import Trial

Facts = Mapping[str, Any]


class _Each(Func):
    function = "jsonb_array_elements"
    set_returning = True
    output_field = JSONField()


class _Length(Func):
    function = "jsonb_array_length"
    output_field = IntegerField()


class _Numbers(Func):
    """From 1 on, in step with another set of the same length."""

    function = "generate_series"
    set_returning = True
    output_field = IntegerField()


def _hypotheses(trial: Trial):
    # Two functions that return sets go in step: each element has its place.
    tests = KeyTransform("tests", KeyTransform("hypotheses", "definition"))
    newest = trial.versions.order_by("-number").values("pk")[:1]
    return (
        trial.versions.filter(pk__in=newest, definition__hypotheses__tests__isnull=False)
        .annotate(
            stated=KeyTransform("hypotheses", "definition"),
            scans=KeyTransform("planned_scans", "definition"),
            place=_Numbers(Value(1), _Length(tests)),
            test=_Each(tests),
        )
        .order_by("pk", F("place"))
    )


def _of(name: str) -> Computed:
    return computed(named(name), "test")


def _number(name: str) -> Computed:
    """A whole number comes from JSON as an integer."""

    def value(test: Facts) -> float | None:
        found = test.get(name)
        return None if found is None else float(found)

    return computed(value, "test")


def _label(side: str) -> Computed:
    def value(test: Facts, scans: list[Facts]) -> str:
        labels = {one["identifier"]: one["label"] for one in scans}
        return str(labels.get(test[side], test[side]))

    return computed(value, "test", "scans")


def _is_proposed(test: Facts, stated: Facts) -> bool:
    return "proposed" in (test.get("provenance"), stated.get("provenance"))


HYPOTHESES = Source(
    _hypotheses,
    {
        "trial": "trial__identifier",
        "number": "place",
        "hypothesis": _of("identifier"),
        "label": _of("label"),
        "objective": _of("objective"),
        "kind": _of("kind"),
        "measure": _of("measure"),
        "level": _of("level"),
        "first_planned": _of("first"),
        "second_planned": _of("second"),
        "first_label": _label("first"),
        "second_label": _label("second"),
        "margin": _number("margin"),
        "alpha": _number("alpha"),
        "variant": _of("variant"),
        "population": _of("population"),
        "order": computed(named("order"), "stated"),
        "is_proposed": computed(_is_proposed, "test", "stated"),
        "version": "number",
    },
)
