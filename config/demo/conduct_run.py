"""What goes on around the images in the demo: tracer supply, forms, truth panel, monitoring."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from config.demo import case_report, cohort
from config.demo.accounts import PASSWORD
from config.demo.case_report import Filled
from config.demo.client import Client
from config.demo.journey import Person
from config.demo.narration import Narration
from config.demo.team import Team
from trials.roles import Role

# Before the injection; one vial serves both patients of a run.
CALIBRATED, RELEASED = timedelta(minutes=40), timedelta(minutes=25)
GOOD_FOR = timedelta(hours=4)
VIAL_MBQ = {"PTF": 780.0, "FDG": 1450.0}
VIAL_DOSES = 3
# As an invented certificate says; of F-18 there is no generator to break through.
RELEASE_DATA = {
    "PTF": {
        "volume_ml": 8.5,
        "substance_mass_ug": 21.0,
        "radiochemical_purity_percent": 98.4,
        "ph": 7.1,
        "germanium_breakthrough_percent": 0.0002,
    },
    "FDG": {"volume_ml": 11.0, "radiochemical_purity_percent": 99.1, "ph": 6.4},
}
# What is to be done, by whom, in how many days.
ACTION_ITEMS = (
    ("Keep a cuff and a clock at the injection chair.", "Clara Coordinator", 14),
    ("Send the report of the serious event to the sponsor.", "Ines Investigator", 1),
)


def supply(team: Team, site: dict, *, now: datetime) -> dict[str, int]:
    """Order, receive and release a vial of each tracer; the batch by planned scan."""
    return {plan.identifier: _vial(team, site, plan, now=now) for plan in cohort.PLANS}


def _vial(team: Team, site: dict, plan: cohort.Plan, *, now: datetime) -> int:
    supplier, moved = team[Role.TECHNOLOGIST], f"/sites/{site['id']}/tracer-movements/"
    syringe, _ = cohort.given(plan, now=now)
    tracer = plan.identifier.upper()
    calibrated = syringe.injected_at - CALIBRATED
    number = f"{tracer}-{calibrated:%y%m%d-%H%M}-{now:%S%f}"[:24]
    _move(supplier, moved, "ordered", calibrated - timedelta(days=1), tracer=tracer)
    batch = supplier.post(
        f"/sites/{site['id']}/batches/",
        {
            "tracer": tracer,
            "number": number,
            "calibration_activity_mbq": VIAL_MBQ[tracer],
            "calibrated_at": calibrated.isoformat(),
            "expires_at": (calibrated + GOOD_FOR).isoformat(),
            "certificate": f"certificate of {number}, invented",
            "released_at": (syringe.injected_at - RELEASED).isoformat(),
            "released_by": "Q. Person",
            **RELEASE_DATA[tracer],
        },
    )["id"]
    _move(supplier, moved, "received", calibrated, batch=batch, activity_mbq=VIAL_MBQ[tracer])
    return batch


def account_for(team: Team, site: dict, batches: dict[str, int], *, now: datetime) -> None:
    """What was drawn for each patient, and what was left of the vials is destroyed."""
    supplier, moved = team[Role.TECHNOLOGIST], f"/sites/{site['id']}/tracer-movements/"
    for plan in cohort.PLANS:
        syringe, started = cohort.given(plan, now=now)
        batch = batches[plan.identifier]
        for _ in cohort.CASES:
            _move(supplier, moved, "dispensed", syringe.assayed_at, batch=batch, doses=1)
        left = VIAL_DOSES - len(cohort.CASES)
        _move(supplier, moved, "destroyed", started, batch=batch, doses=left, reference="decayed")


def _move(
    supplier: Client, path: str, kind: str, at: datetime, *, doses: int = VIAL_DOSES, **more
) -> None:
    body = {"kind": kind, "happened_at": at.isoformat(), "doses": doses}
    supplier.post(path, {**body, **more})


def screened(team: Team, patient: dict, person: Person, *, zone: ZoneInfo) -> None:
    """The forms of the screening visit, before eligibility is judged."""
    filled = case_report.at_screening(person, now=datetime.now(UTC), zone=zone)
    fill(team[Role.COORDINATOR], patient["id"], filled)


def build(team: Team, patients: list[dict], narration: Narration, *, now: datetime) -> None:
    """Forms of the scan days, a report clock that runs, the panel's decision, a visit."""
    zone, first, second = ZoneInfo(team.trial()["sites"][0]["time_zone"]), *patients[:2]
    with narration.step("Forms: scan days, adverse events, reference standard"):
        number = _scan_days(team, first["id"], zone, now=now)
        known_at = now - timedelta(minutes=10)
        serious = case_report.serious_event(known_at, zone=zone)
        number += len(fill(team[Role.COORDINATOR], second["id"], [serious]))
        narration.say(
            f"{number} forms; a serious event of {second['identifier']} is to be reported"
        )
    with narration.step("Truth panel: decides blind to the index test"):
        _decide(team, first["id"], zone, now=now)
        narration.say(f"{first['identifier']}: truth of the patient and of a lesion, signed")
    with narration.step("Monitoring: a visit, its report and the letter to the site"):
        _monitor(team, narration, first, now=now)


def _scan_days(team: Team, patient: int, zone: ZoneInfo, *, now: datetime) -> int:
    made = []
    for plan, visit in zip(cohort.PLANS, ("PET1", "PET2"), strict=True):
        syringe, _ = cohort.given(plan, now=now)
        day = case_report.at_injection(visit, injected_at=syringe.injected_at, zone=zone)
        made += fill(team[Role.TECHNOLOGIST], patient, day)
        event = case_report.mild_event(syringe.injected_at, zone=zone)
    made += fill(team[Role.COORDINATOR], patient, [event])
    made += fill(team[Role.COORDINATOR], patient, case_report.reference(now=now, zone=zone))
    team[Role.INVESTIGATOR].post(
        f"/forms/{made[-2]['id']}/sign/",
        {"revision": made[-2]["revision"], "password": PASSWORD},
    )
    return len(made)


def _decide(team: Team, patient: int, zone: ZoneInfo, *, now: datetime) -> None:
    panel = team[Role.PANEL]
    for entry in fill(panel, patient, case_report.decided(now=now, zone=zone)):
        panel.post(
            f"/forms/{entry['id']}/sign/", {"revision": entry["revision"], "password": PASSWORD}
        )


def _monitor(team: Team, narration: Narration, patient: dict, *, now: datetime) -> None:
    monitor, site = team[Role.MONITOR], team.site()
    today = now.astimezone(ZoneInfo(site["time_zone"])).date()
    visit = monitor.post(
        f"/sites/{site['id']}/monitoring-visits/",
        {
            "kind": "interim",
            "held_on": today.isoformat(),
            "attendees": "Mona Monitor, monitor\nInes Investigator, principal investigator\n"
            "Clara Coordinator, study coordinator",
            "summary": f"Consent and source data of {patient['identifier']} compared; delegation "
            "log, tracer accountability and the forms of the scan days looked at.",
            "findings": "The respiratory rate during the injection was not measured.",
        },
    )
    items = [
        monitor.post(
            f"/monitoring-visits/{visit['id']}/action-items/",
            {"text": text, "owner": owner, "due_on": (today + timedelta(days=days)).isoformat()},
        )
        for text, owner, days in ACTION_ITEMS
    ]
    stands = monitor.get(f"/monitoring-visits/{visit['id']}/")
    monitor.post(
        f"/monitoring-visits/{visit['id']}/sign/",
        {"version": stands["version"], "password": PASSWORD},
    )
    team[Role.COORDINATOR].post(
        f"/action-items/{items[0]['id']}/done/", {"text": "A cuff hangs at the chair since today."}
    )
    for sheet in ("report", "letter"):
        pages = monitor.download(f"/monitoring-visits/{visit['id']}/{sheet}.pdf")
        narration.say(f"{sheet} printed, {len(pages) / 1024:.0f} kB")


def fill(who: Client, patient: int, forms: Iterable[Filled]) -> list[dict]:
    """Begin and complete forms; the entries as they stand then."""
    made = []
    for one in forms:
        begun = who.post(f"/patients/{patient}/forms/", {"form": one.form, "visit": one.visit})
        done = who.post(
            f"/forms/{begun['entry']['id']}/complete/",
            {"values": one.values, "revision": begun["draft_revision"]},
        )
        made.append(done["entry"])
    return made
