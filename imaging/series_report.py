"""What is said of one series outside the product: as JSON for scripts, as text for a person.

A number stands in the report only with the status COMPUTED or COMPUTED-FLAGGED; with REVIEW
it is a candidate and called so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from imaging import geometry
from imaging.headers import PetHeader
from imaging.reference_time import Witness, seconds_between
from imaging.suv import SuvScale, Verdict
from imaging.suv_terms import ADAPTATIONS, FLAGS, POLICIES

SURE = ("COMPUTED", "COMPUTED-FLAGGED")


@dataclass(frozen=True, slots=True)
class Pixels:
    """SUVbw in g/mL over all voxels of a series; None where its files hold no pixels."""

    suv_max: float | None
    suv_mean: float | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, or the first of many, that is no part of a PET series, and why."""

    file: str
    reason: str
    count: int = 1


def as_json(
    headers: Sequence[PetHeader],
    verdict: Verdict,
    pixels: Pixels,
    skipped: Sequence[Skipped],
    planes: Sequence[str] = (),
) -> dict[str, Any]:
    """One series as JSON values; `headers` in the order of the planes, `planes` their flags.

    `suvbw_factor` multiplies the rescaled value. With Decay Correction NONE it is None and
    `suvbw_factor_per_slice` has one for each of `sop_instance_uids`.
    """
    header = headers[0]
    scale = verdict.scale
    shown = scale or verdict.candidate
    name, version = POLICIES[verdict.policy]
    return {
        "series_instance_uid": header.series_instance_uid,
        "manufacturer": header.manufacturer,
        "model": header.model,
        "modality": header.modality,
        "n_instances": len(headers),
        "policy": verdict.policy,
        "policy_name": name,
        "policy_version": version,
        "status": "COMPUTED-FLAGGED" if scale and planes else verdict.status,
        "code": verdict.code,
        "message": verdict.message,
        "attribute": verdict.attribute,
        "suvbw_factor": scale.factor if scale else None,
        "suvbw_factor_per_slice": list(scale.factors) if scale and scale.factors else None,
        "factor_unit": shown.factor_unit if shown else None,
        "candidate_factor": verdict.candidate.factor if verdict.candidate else None,
        "candidate_factor_per_slice": _per_slice(verdict.candidate),
        "sop_instance_uids": [one.sop_instance_uid for one in headers]
        if _per_slice(shown)
        else None,
        "suv_max": pixels.suv_max,
        "suv_mean": pixels.suv_mean,
        "units": header.units,
        "suv_type": header.suv_type,
        "decay_correction": header.decay_correction,
        **_times(headers, shown),
        "nuclide": shown.nuclide if shown else None,
        "half_life_s": shown.half_life if shown else None,
        "injected_activity_bq": shown.injected_activity if shown else None,
        "weight_kg": shown.weight if shown else None,
        "witnesses": _witnesses(headers, verdict, shown),
        "flags": _explained(
            (*(shown.flags if shown else ()), *planes), {**geometry.FLAGS, **FLAGS}
        ),
        "adaptations": _explained(shown.adaptations if shown else (), ADAPTATIONS),
        "files_skipped": [
            {"file": one.file, "reason": one.reason, "count": one.count} for one in skipped
        ],
    }


def as_text(report: Mapping[str, Any]) -> Iterator[str]:
    """The lines of one series for a person, from what `as_json` gave."""
    yield f"Series {report['series_instance_uid']}"
    yield (
        f"  {report['manufacturer'] or 'maker unknown'} {report['model']}".rstrip()
        + f", {report['n_instances']} images, Units {report['units'] or '-'}, "
        + f"Decay Correction {report['decay_correction'] or '-'}"
    )
    yield f"  {report['status']}" + (f"  {report['code']}" if report["code"] else "")
    if report["message"]:
        yield f"  {report['message']}"
    yield from _text_of_factor(report)
    if report["suv_max"] is not None:
        yield f"  SUVbw max {report['suv_max']:.6g} g/mL, mean {report['suv_mean']:.6g} g/mL"
    if report["injection_time"]:
        yield (
            f"  injection {report['injection_time']}, reference {report['reference_time'] or '-'}"
        )
    if report["uptake_seconds"] is not None:
        yield f"  uptake {report['uptake_seconds'] / 60:.1f} min to the first bed"
    for kind, ones in (("flag", report["flags"]), ("adapted", report["adaptations"])):
        for one in ones:
            yield f"  {kind} {one['code']}: {one['meaning']}"
    yield from _text_of_witnesses(report["witnesses"])


def _text_of_factor(report: Mapping[str, Any]) -> Iterator[str]:
    for key, label in (("suvbw_factor", "factor"), ("candidate_factor", "candidate factor")):
        if report[key] is not None:
            yield f"  {label} {report[key]:.9g} {report['factor_unit']}"
        elif factors := report[f"{key}_per_slice"]:
            low, high = min(factors), max(factors)
            yield f"  {label} {low:.9g} to {high:.9g} {report['factor_unit']}, one per slice"


def _text_of_witnesses(witnesses: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not witnesses:
        return
    yield "  witness                                    clock            off / s  says"
    for one in witnesses:
        clock = one["value"][11:] if one["value"] else "-"
        off = "-" if one["seconds"] is None else f"{one['seconds']:+.2f}"
        note = f" ({one['note']})" if one["note"] else ""
        yield f"  {one['key']:<2} {one['name']:<40} {clock:<16} {off:>7}  {one['says']}{note}"


def _per_slice(scale: SuvScale | None) -> list[float] | None:
    return list(scale.factors) if scale and scale.factors else None


def _times(headers: Sequence[PetHeader], scale: SuvScale | None) -> dict[str, Any]:
    """Clocks as the headers have them; uptake is from the injection to the first bed."""
    reference = scale.reference if scale else None
    injection = scale.injection if scale else None
    return {
        "reference_time": reference.isoformat() if reference else None,
        "injection_time": injection.isoformat() if injection else None,
        "decay_seconds": scale.decay_seconds if scale else None,
        "uptake_seconds": _uptake(headers, scale),
    }


def _uptake(headers: Sequence[PetHeader], scale: SuvScale | None) -> float | None:
    clocks = [one.acquisition_time for one in headers if one.acquisition_time]
    if scale is None or scale.injection is None or len(clocks) < len(headers):
        return None
    anchor = scale.reference or scale.injection
    first = min(seconds_between(clock, anchor.time()) for clock in clocks)
    start = anchor + timedelta(seconds=first)
    return (start - scale.injection).total_seconds()


def _witnesses(
    headers: Sequence[PetHeader], verdict: Verdict, scale: SuvScale | None
) -> list[dict[str, Any]]:
    """Each witness with the instant it names, and how far that is from the chosen one."""
    series = headers[0].series_time
    day = headers[0].series_date or headers[0].acquisition_date
    zero = datetime.combine(day, series) if day and series else None
    chosen = _chosen_offset(verdict.witnesses, scale, series)
    return [_witness(one, zero, chosen) for one in verdict.witnesses]


def _chosen_offset(
    witnesses: Sequence[Witness], scale: SuvScale | None, series: time | None
) -> float | None:
    marked = [one.offset for one in witnesses if one.says == "reference"]
    if marked:
        return marked[0]
    if scale is None or scale.reference is None or series is None:
        return None
    return seconds_between(scale.reference.time(), series)


def _witness(one: Witness, zero: datetime | None, chosen: float | None) -> dict[str, Any]:
    # D' is a difference between two clocks of the same frame, not an instant.
    is_instant = one.offset is not None and one.key != "D'"
    value = zero + timedelta(seconds=one.offset or 0.0) if zero and is_instant else None
    off = one.offset
    if is_instant and chosen is not None and one.offset is not None:
        off = one.offset - chosen
    return {
        "key": one.key,
        "name": one.name,
        "value": value.isoformat() if value else None,
        "seconds": off,
        "says": one.says,
        "note": one.note,
    }


def _explained(codes: Sequence[str], meanings: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"code": code, "meaning": meanings[code]} for code in codes]
