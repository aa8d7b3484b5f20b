"""One patient's way through the product, act by act, as the people of a site do it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from config.demo.client import Client, Content, DemoFailed

FINAL_STATES = {"quantified", "quarantined", "rejected"}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Person:
    """An invented patient."""

    sex_at_birth: str
    birth: str
    weight_kg: float
    height_cm: float
    creatinine_mg_dl: float
    diagnosis: str


@dataclass(frozen=True)
class Injected:
    """What goes into the injection record; a residual that nobody measured is None."""

    assayed_activity_mbq: float
    assayed_at: datetime
    residual_activity_mbq: float | None
    residual_at: datetime | None
    injected_at: datetime


def register(
    site: Client,
    investigator: Client,
    *,
    trial: str,
    person: Person,
    password: str,
    fill: Callable[[dict], None] | None = None,
) -> dict:
    """Screen, consent, collect evidence, assess, sign, enrol.

    `fill` enters the forms of the screening visit, which bring a pregnancy test as evidence.
    """
    site_row = site.get(f"/trials/{trial}/")["sites"][0]
    patient = site.post(
        "/patients/",
        {"site": site_row["id"], "sex_at_birth": person.sex_at_birth, "birth": person.birth},
    )
    path = f"/patients/{patient['id']}"
    now = datetime.now(UTC)
    site.post(
        f"{path}/consents/",
        {
            "version": "1.0",
            "language": "en",
            "signed_at": (now - timedelta(hours=3)).isoformat(timespec="seconds"),
            "signatory": "patient",
            "obtained_by": "I. Investigator",
            "copy_given": True,
        },
    )
    for row in _evidence(person, now):
        if not (fill and row["variable"] == "pregnancy_test"):
            site.post(f"{path}/evidence/", row)
    if fill:
        fill(patient)
    made = site.post(f"{path}/assessments/", {"gate": "enrolment"})
    _require_eligible(made)
    investigator.post(f"/assessments/{made['id']}/sign/", {"password": password})
    cohort = "SOLID" if person.diagnosis == "solid_tumor" else "LYMPHOMA"
    return site.post(f"{path}/enrol/", {"cohort": cohort})


def _require_eligible(assessment: dict) -> None:
    if assessment["verdict"] != "eligible":
        words = [f"{r['criterion']}: {r['reason']}" for r in assessment["results"]]
        raise DemoFailed("The demo patient should be eligible:\n" + "\n".join(words))


def _evidence(person: Person, now: datetime) -> list[dict]:
    """Dated facts that settle every criterion of the demo trial's enrolment gate."""
    # Yesterday may be the day of the scan, which began before midnight: a fact dated with that
    # day alone would leave open whether it came before.
    day = (now - timedelta(days=2)).date().isoformat()
    is_female = person.sex_at_birth == "F"
    facts: list[tuple[str, Any, str, str]] = [
        ("sex_at_birth", person.sex_at_birth, "", "medical record"),
        ("birth_date", person.birth, "", "medical record"),
        ("creatinine", person.creatinine_mg_dl, "mg/dL", "laboratory report"),
        ("histology.confirmed", True, "", "pathology report"),
        ("diagnosis.group", person.diagnosis, "", "pathology report"),
        ("lesions.measurable_count", 3, "", "CT report"),
        ("therapy.anticancer", [], "", "medication history"),
        ("pregnant", False, "", "investigator's note"),
        ("breastfeeding", False, "", "investigator's note"),
        ("unable_to_tolerate_scan", False, "", "investigator's note"),
        ("ecog", 1, "", "investigator's note"),
        *([("pregnancy_test", "negative", "", "laboratory report")] if is_female else []),
    ]
    return [
        {
            "variable": variable,
            "value": value,
            "unit": unit,
            "observed_at": day,
            "is_study_specific": False,
            "source": source,
        }
        for variable, value, unit, source in facts
    ]


def schedule(site: Client, *, patient: int, planned_scan: int, at: datetime) -> dict:
    return site.post(
        f"/patients/{patient}/scans/",
        {"planned_scan": planned_scan, "planned_at": at.isoformat(timespec="seconds")},
    )


def clear_for_injection(
    site: Client, *, patient: int, scan: int, at: datetime, glucose_mmol_l: float | None
) -> None:
    """Measure glucose where the tracer asks for it, and judge the gate before the injection."""
    if glucose_mmol_l is not None:
        site.post(
            f"/patients/{patient}/evidence/",
            {
                "variable": "glucose",
                "value": glucose_mmol_l,
                "unit": "mmol/L",
                "observed_at": at.isoformat(timespec="minutes"),
                "is_study_specific": True,
                "source": "glucose meter of the PET unit",
                "scheduled_scan": scan,
            },
        )
    _require_eligible(
        site.post(
            f"/patients/{patient}/assessments/", {"gate": "pre_injection", "scheduled_scan": scan}
        )
    )


def inject(
    site: Client,
    *,
    scan: int,
    person: Person,
    given: Injected,
    despite: str = "",
    batch: int | None = None,
) -> dict:
    """Record an injection; `despite` says why it was given though the gate is red."""
    return site.post(
        f"/scans/{scan}/injection/",
        {
            "assayed_activity_mbq": given.assayed_activity_mbq,
            "assayed_at": given.assayed_at.isoformat(),
            "residual_activity_mbq": given.residual_activity_mbq,
            "residual_at": given.residual_at and given.residual_at.isoformat(),
            "injected_at": given.injected_at.isoformat(),
            "route": "intravenous",
            "weight_kg": person.weight_kg,
            "height_cm": person.height_cm,
            "batch": batch,
            "despite": despite,
        },
    )


def send(
    site: Client,
    *,
    scan: int,
    files: Iterable[tuple[str, Content]],
    say: Say,
    is_deidentified: bool = False,
) -> int:
    """Upload images and say that they are complete; the transmittal's primary key."""
    for held in site.upload(scan, files, is_deidentified=is_deidentified):
        if isinstance(held, int):
            return held
        say(held)
    raise DemoFailed("There was nothing to send.")


def arrived(site: Client, transmittal: int, *, say: Say) -> dict:
    """Wait until the worker is through with a transmittal; what it found."""
    row = site.wait(f"/transmittals/{transmittal}/", done=_is_settled, say=say)
    if row["state"] != "quantified":
        why = row["message"] or (row["job"] or {}).get("error") or "no reason is given"
        raise DemoFailed(f"The images were {row['state']}, not measured: {why}")
    return row


def _is_settled(row: dict) -> bool:
    """Nothing more will happen by itself: an end, a job that gave up, or a series refused."""
    gave_up = (row["job"] or {}).get("state") == "parked"
    refused = row["state"] == "assembled" and bool(row["message"])
    return row["state"] in FINAL_STATES or gave_up or refused


def measured(site: Client, scan: int) -> dict:
    """The PET series of a scan that has a current measurement."""
    for series in site.every("/series/", scan=scan):
        if series["modality"] == "PT" and series["quantification"]:
            return series
    raise DemoFailed(f"Scan {scan} has no measured PET series.")


def place_blood_pool(
    reader: Client, *, reading: str, centre_mm: tuple[float, float, float], radius_mm: float
) -> None:
    """The blinded reader puts a sphere into the heart."""
    reader.post(
        f"/readings/{reading}/regions/",
        {"kind": "blood_pool", "centre_mm": list(centre_mm), "radius_mm": radius_mm},
    )


def export(statistician: Client, *, trial: str, say: Say) -> tuple[dict, bytes]:
    """Freeze an export and fetch it."""
    order = statistician.post("/exports/", {"trial": trial, "reason": "demonstration"})
    path = f"/exports/{order['id']}/"
    row = statistician.wait(path, done=lambda row: row["state"] != "requested", say=say)
    if row["state"] != "frozen":
        raise DemoFailed(f"The export {row['state']}: {row['message']}")
    return row, statistician.download(f"{path}download/")
