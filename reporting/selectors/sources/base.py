"""What a source of rows is, and what several of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from types import MappingProxyType
from typing import Any

from django.urls import get_script_prefix

from reporting import derived
from trials.models import Trial

# From a measured row to the scheduled scan that it was measured on.
SCAN_OF_RUN = "quantification__series__imaging_study__scheduled_scan__"


@dataclass(frozen=True)
class Computed:
    """A column made by a function of some look-ups."""

    function: Callable[..., Any]
    lookups: tuple[str, ...]


def computed(function: Callable[..., Any], *lookups: str) -> Computed:
    return Computed(function, lookups)


@dataclass(frozen=True)
class Source:
    """The rows of a dataset in their order, and for each column its look-up.

    Where a later row stands in the place of an earlier one, `rows_until` has those that stood when
    the day of a cut-off ended, which is a moment by the code of each site.
    """

    rows: Callable[[Trial], Any]
    columns: Mapping[str, str | Computed]
    rows_until: Callable[[Trial, Mapping[str, datetime]], Any] | None = None


def named(name: str) -> Callable[[dict | None], Any]:
    """A value of a JSON object, None where there is none."""
    return lambda value: (value or {}).get(name)


# Resolving a name imports every view of the system, 50 MB that a worker needs for nothing else.
PAGES: Mapping[str, str] = MappingProxyType(
    {
        "derivation": "derivations/lesion/{}/{}/",
        "derivation_grown": "derivations/grown/{}/{}/",
        "read": "reads/{}/",
        "response_of_patient": "patients/{}/response/",
    }
)


def page(name: str, *arguments: Any) -> str:
    """The path of a page, as its route has it."""
    return get_script_prefix() + PAGES[name].format(*arguments)


def address(quantity: str) -> Computed:
    return computed(lambda pk: page("derivation", pk, quantity), "lesion_pk")


def subject(path: str) -> dict[str, str | Computed]:
    """Trial, site and patient, by the way from a row to its patient."""
    return {
        "trial": f"{path}trial__identifier",
        "usubjid": computed(derived.usubjid, f"{path}trial__identifier", f"{path}identifier"),
        "site": f"{path}site__code",
        "patient": f"{path}identifier",
    }


def of_current_runs(model, path: str, trial: Trial):
    """Rows below the current runs of a trial's series."""
    scan = f"{path}{SCAN_OF_RUN}"
    within = {f"{scan}patient__trial": trial, f"{path}quantification__is_current": True}
    return model.objects.filter(**within).order_by(
        f"{scan}patient__identifier", f"{path}quantification__series", "pk"
    )


def measured(path: str) -> dict[str, str | Computed]:
    """Columns that say on which scan and series something was measured."""
    return {
        **subject(f"{path}{SCAN_OF_RUN}patient__"),
        "scan": f"{path}{SCAN_OF_RUN}pk",
        "series": f"{path}quantification__series_id",
    }


def point(name: str, lookup: str) -> dict[str, Computed]:
    return {
        f"{name}_{axis}_mm": computed(itemgetter(place), lookup) for place, axis in enumerate("xyz")
    }
