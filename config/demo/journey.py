"""One patient's way through the product, act by act, as the people of a site do it."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from config.demo.client import Client, DemoFailed

FINAL_STATES = {"quantified", "quarantined", "rejected"}


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
    """What goes into the injection record."""

    assayed_activity_mbq: float
    assayed_at: datetime
    residual_activity_mbq: float
    residual_at: datetime
    injected_at: datetime


def register(site: Client, *, trial: str, person: Person) -> dict:
    """Screen, consent, collect evidence, assess, enrol."""
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
        site.post(f"{path}/evidence/", row)
    assessment = site.post(f"{path}/assessments/", {"gate": "enrolment"})
    if assessment["verdict"] != "eligible":
        words = [f"{r['criterion']}: {r['reason']}" for r in assessment["results"]]
        raise DemoFailed("The demo patient should be eligible:\n" + "\n".join(words))
    site.post(f"{path}/enrol/")
    return patient


def _evidence(person: Person, now: datetime) -> list[dict]:
    """Dated facts that settle every criterion of the demo trial's enrolment gate."""
    yesterday = (now - timedelta(days=1)).date().isoformat()
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
    ]
    return [
        {
            "variable": variable,
            "value": value,
            "unit": unit,
            "observed_at": yesterday,
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


def inject(site: Client, *, scan: int, person: Person, given: Injected) -> dict:
    return site.post(
        f"/scans/{scan}/injection/",
        {
            "assayed_activity_mbq": given.assayed_activity_mbq,
            "assayed_at": given.assayed_at.isoformat(),
            "residual_activity_mbq": given.residual_activity_mbq,
            "residual_at": given.residual_at.isoformat(),
            "injected_at": given.injected_at.isoformat(),
            "route": "intravenous",
            "weight_kg": person.weight_kg,
            "height_cm": person.height_cm,
        },
    )


def send(site: Client, *, scan: int, files: Iterable[tuple[str, bytes]]) -> int:
    """Upload a folder and say that it is complete; the transmittal's primary key."""
    *_, transmittal = site.upload(scan, files)
    return transmittal


def arrived(site: Client, transmittal: int) -> dict:
    """Wait until the worker is through with a transmittal; what it found."""
    row = site.wait(f"/transmittals/{transmittal}/", until=FINAL_STATES)
    if row["state"] != "quantified" and row["code"] != "nothing-new":
        raise DemoFailed(f"The images were {row['state']}: {row['message']}")
    return row


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  invented patients need no secrecy
