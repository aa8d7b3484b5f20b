"""What images are held to beside protocol and record: each rule, its limit, how much it matters.

The rules are run by imaging; what they hold a scan to is said here, from what the protocol
states, so that a page and an interface say it before any image arrives. The mistake to fear
is a limit nobody stated that reads like a pass: without one a rule is not checkable. What is
only proposed limits nobody and is told beside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from trials.decay import HALF_LIFE
from trials.stated import Tolerances


class Severity(StrEnum):
    """How much it matters. Only blocking keeps a series from being measured."""

    INFO = "info"
    MINOR = "minor"
    MAJOR = "major"
    BLOCKING = "blocking"


class Basis(StrEnum):
    """Where a limit comes from; the value is the word on the screen."""

    PROTOCOL = "stated by the protocol"
    PRODUCT = "of the product, the protocol states no other"
    ALWAYS = "always checked"
    NONE = "not checkable"


# Every rule, and how much it matters unless the protocol says otherwise.
RULES: Mapping[str, Severity] = MappingProxyType(
    {
        "radionuclide-differs": Severity.MAJOR,
        "negative-uptake-time": Severity.MAJOR,
        "uptake-time-out-of-window": Severity.MAJOR,
        "not-attenuation-corrected": Severity.MAJOR,
        "ct-missing": Severity.MAJOR,
        "ct-after-pet": Severity.MINOR,
        "ct-of-another-frame": Severity.MAJOR,
        "scan-not-on-planned-day": Severity.MINOR,
        "fewer-slices-than-announced": Severity.MAJOR,
        "slices-missing": Severity.MAJOR,
        "coverage-too-short": Severity.MAJOR,
        "voxel-size-out-of-range": Severity.MINOR,
        "reconstruction-not-listed": Severity.MINOR,
        "injection-not-recorded": Severity.MAJOR,
        "header-activity-out-of-range": Severity.MAJOR,
        "header-activity-differs": Severity.MAJOR,
        "header-activity-is-gross": Severity.MINOR,
        "header-weight-differs": Severity.MAJOR,
        "header-height-differs": Severity.MINOR,
        "header-half-life-differs": Severity.MAJOR,
        "header-injection-time-differs": Severity.MAJOR,
        "header-scanner-differs": Severity.MINOR,
        "header-dlp-differs": Severity.MINOR,
    }
)


@dataclass(frozen=True)
class Limits:
    """What a planned scan and its tracer state; None or empty is unknown.

    `conformance` is the section of that name in the trial file; activity in MBq, uptake in
    minutes, each from the least to the most.
    """

    radionuclide: str = ""
    uptake_minutes: tuple[float | None, float | None] = (None, None)
    activity_mbq: tuple[float | None, float | None] = (None, None)
    requires_ct: bool | None = None
    conformance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tolerances(self) -> Tolerances:
        return Tolerances(**self.conformance.get("tolerances", {}))


@dataclass(frozen=True, slots=True)
class Check:
    """One rule as it holds for a planned scan, in words with units.

    `limit` is empty where nothing is stated. `proposed` is what is only proposed and limits
    nobody. A severity that the protocol does not state is the product's.
    """

    rule: str
    label: str
    limit: str
    basis: Basis
    severity: Severity
    is_severity_stated: bool
    compares: str
    proposed: str = ""

    @property
    def is_checkable(self) -> bool:
        return self.basis is not Basis.NONE


def checks(limits: Limits, proposed: Limits | None = None) -> tuple[Check, ...]:
    """Every rule with what it holds a planned scan to, in the order of `RULES`.

    >>> found = {one.rule: one for one in checks(Limits(uptake_minutes=(30, 60)))}
    >>> found["uptake-time-out-of-window"].limit, found["coverage-too-short"].limit
    ('30 to 60 min', '')
    """
    return tuple(_check(rule, limits, proposed or Limits()) for rule in RULES)


def span(low: float | None, high: float | None) -> str:
    """Closed limits without their unit.

    >>> span(30, 60), span(None, 5), span(700, None)
    ('30 to 60', 'up to 5', '700 or more')
    """
    if low is None:
        return f"up to {high:g}"
    return f"{low:g} to {high:g}" if high is not None else f"{low:g} or more"


IMAGES, RECORD = "images with the protocol", "headers with the record"


@dataclass(frozen=True, slots=True)
class _Said:
    """How a rule is called, what it compares, and its limit in words.

    `tolerance` names the tolerance it goes by; a rule with neither that nor a limit of the
    protocol is always checked.
    """

    label: str
    compares: str
    limit: Callable[[Limits], str]
    tolerance: str = ""
    is_always: bool = False


def _check(rule: str, limits: Limits, proposed: Limits) -> Check:
    said, stated = _SAID[rule], limits.conformance.get("severities", {})
    limit = said.limit(limits)
    told = said.limit(proposed) if not (said.is_always or said.tolerance) else ""
    return Check(
        rule=rule,
        label=said.label,
        limit=limit,
        basis=_basis(said, limit, limits),
        severity=Severity(stated.get(rule, RULES[rule])),
        is_severity_stated=rule in stated,
        compares=said.compares,
        proposed="" if limit else told,
    )


def _basis(said: _Said, limit: str, limits: Limits) -> Basis:
    if said.is_always:
        return Basis.ALWAYS
    if said.tolerance:
        is_stated = said.tolerance in limits.conformance.get("tolerances", {})
        return Basis.PROTOCOL if is_stated else Basis.PRODUCT
    return Basis.PROTOCOL if limit else Basis.NONE


def _with_unit(limits: tuple[float | None, float | None], unit: str) -> str:
    return f"{span(*limits)} {unit}" if limits != (None, None) else ""


def _ends(limits: Limits, name: str) -> tuple[float | None, float | None]:
    stated = limits.conformance.get(name, {})
    return stated.get("low"), stated.get("high")


def _ct(limits: Limits) -> str:
    if limits.requires_ct is None:
        return ""
    return "comes with the PET" if limits.requires_ct else "not required"


def _nuclide(limits: Limits) -> str:
    """The radionuclide with its half-life in seconds."""
    of = limits.radionuclide
    return f"{of}, {HALF_LIFE[of]:.5g} s" if of in HALF_LIFE else of or "the tracer"


def _percent(part: float) -> str:
    return f"± {100 * part:.3g} %"


_SAID: Mapping[str, _Said] = MappingProxyType(
    {
        "radionuclide-differs": _Said("Radionuclide", IMAGES, lambda of: of.radionuclide),
        "negative-uptake-time": _Said(
            "Order of injection and scan",
            IMAGES,
            lambda _: "injected before the first PET bed",
            is_always=True,
        ),
        "uptake-time-out-of-window": _Said(
            "Uptake time", IMAGES, lambda of: _with_unit(of.uptake_minutes, "min")
        ),
        "not-attenuation-corrected": _Said(
            "Attenuation correction", IMAGES, lambda _: "corrected", is_always=True
        ),
        "ct-missing": _Said("CT", IMAGES, _ct),
        "ct-after-pet": _Said(
            "Order of CT and PET",
            IMAGES,
            lambda _: "CT begins before the first PET bed",
            is_always=True,
        ),
        "ct-of-another-frame": _Said(
            "Frame of reference of the CT", IMAGES, lambda _: "that of the PET", is_always=True
        ),
        "scan-not-on-planned-day": _Said(
            "Day of the scan", IMAGES, lambda _: "the day it is scheduled for", is_always=True
        ),
        "fewer-slices-than-announced": _Said(
            "Completeness", IMAGES, lambda _: "as many slices as the headers count", is_always=True
        ),
        "slices-missing": _Said(
            "Numbers of the slices", IMAGES, lambda _: "without a gap", is_always=True
        ),
        "coverage-too-short": _Said(
            "Coverage along the body", IMAGES, lambda of: _with_unit(_ends(of, "coverage_mm"), "mm")
        ),
        "voxel-size-out-of-range": _Said(
            "Voxel size", IMAGES, lambda of: _with_unit(_ends(of, "voxel_mm"), "mm")
        ),
        "reconstruction-not-listed": _Said(
            "Reconstruction",
            IMAGES,
            lambda of: ", ".join(of.conformance.get("reconstructions", ())),
        ),
        "injection-not-recorded": _Said(
            "Record of the injection", RECORD, lambda _: "there is one", is_always=True
        ),
        "header-activity-out-of-range": _Said(
            "Injected activity, while no injection is recorded",
            RECORD,
            lambda of: _with_unit(of.activity_mbq, "MBq"),
        ),
        "header-activity-differs": _Said(
            "Injected activity",
            RECORD,
            lambda of: f"{_percent(of.tolerances.activity)} of the recorded net activity",
            "activity",
        ),
        "header-activity-is-gross": _Said(
            "Residual taken off",
            RECORD,
            lambda of: f"not within {_percent(of.tolerances.activity)} of the gross activity alone",
            "activity",
        ),
        "header-weight-differs": _Said(
            "Weight",
            RECORD,
            lambda of: f"{_percent(of.tolerances.weight)} of the recorded weight",
            "weight",
        ),
        "header-height-differs": _Said(
            "Height",
            RECORD,
            lambda of: f"± {of.tolerances.height_cm:g} cm of the recorded height",
            "height_cm",
        ),
        "header-half-life-differs": _Said(
            "Half-life",
            RECORD,
            lambda of: f"{_percent(of.tolerances.half_life)} of that of {_nuclide(of)}",
            "half_life",
        ),
        "header-injection-time-differs": _Said(
            "Injection time",
            RECORD,
            lambda of: f"± {of.tolerances.injection_seconds:g} s of the recorded time",
            "injection_seconds",
        ),
        "header-scanner-differs": _Said(
            "Scanner", RECORD, lambda _: "maker and model as recorded", is_always=True
        ),
        "header-dlp-differs": _Said(
            "Dose-length product of the CT",
            RECORD,
            lambda of: (
                f"{_percent(of.tolerances.dlp)} of the dose report, or "
                f"{_percent(of.tolerances.dlp_estimate)} of an estimate from the images"
            ),
            "dlp",
        ),
    }
)
