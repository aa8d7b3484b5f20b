"""The columns of the effective dose, each computed from one row of scheduled scans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from trials import effective_dose
from trials.effective_dose import Dose, Exposure, Proposed
from trials.selectors.effective_dose import exposure

INPUTS = (
    "planned_scan__version__definition__tracers",
    "planned_scan__label",
    "planned_scan__tracer__identifier",
    "injection__net_activity_mbq",
    "injection__residual_activity_mbq",
    "planned_scan__requires_ct",
    "dose_reports",
    "header_statement__ct_dose",
)


def _exposure(
    tracers: Sequence[Mapping[str, Any]] | None,
    label: str,
    tracer: str,
    net: float | None,
    residual: float | None,
    has_ct: bool | None,
    reports: Sequence[Mapping[str, Any]] | None,
    told: Mapping[str, Any] | None,
) -> Exposure:
    return exposure(
        {"tracers": tracers or ()},
        label=label,
        tracer=tracer,
        net_activity_mbq=net,
        residual_activity_mbq=residual,
        has_ct=has_ct,
        reports=[(one["value"], one["details"]) for one in reports or ()],
        told=told,
    )


def _of_exposure(read: Callable[[Exposure], Any]) -> Callable[..., Any]:
    return lambda *row: read(_exposure(*row))


def _of_dose(read: Callable[[Dose], Any]) -> Callable[..., Any]:
    return lambda *row: read(effective_dose.dose(_exposure(*row)))


def _of_proposed(read: Callable[[Proposed], Any]) -> Callable[..., Any]:
    return _of_exposure(lambda one: read(one.proposed) if one.proposed else None)


def _recorded(exposure: Exposure) -> float | None:
    """Of all CTs of the scan; None where one of them is not known as a number."""
    known = [one.dlp_mgy_cm for one in exposure.irradiations]
    return sum(one or 0.0 for one in known) if known and None not in known else None


COLUMNS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "is_upper_bound": _of_exposure(lambda one: one.is_upper_bound),
        "coefficient": _of_exposure(lambda one: one.msv_per_mbq),
        "is_coefficient_proposed": _of_exposure(lambda one: one.is_proposed),
        "ct_count": _of_exposure(lambda one: len(one.irradiations)),
        "dlp": _of_exposure(_recorded),
        "proposed_dlp": _of_proposed(lambda one: one.dlp_mgy_cm),
        "proposed_dlp_basis": _of_proposed(lambda one: one.basis),
        "tracer_msv": _of_dose(lambda one: one.tracer_msv),
        "ct_msv": _of_dose(lambda one: one.ct_msv),
        "total_msv": _of_dose(lambda one: one.total_msv),
        "gaps": _of_dose(lambda one: " ".join(one.gaps) or None),
    }
)
