"""The demo with phantoms: from screening to the export, and the truth beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from config.demo import cohort, comparison, conduct_run, journey
from config.demo.accounts import DEMO_TRIAL, PASSWORD
from config.demo.narration import Narration, heading, table, tree
from config.demo.team import Team, planned
from imaging.phantom import BLOOD_POOL_CENTRE
from imaging.phantom_dicom import Examination
from trials.roles import Role

BLOOD_POOL_RADIUS_MM = 15.0
# Activity and slopes are written with ten digits.
FACTOR_TOLERANCE = 1e-9


@dataclass
class Scan:
    """One scan on its way through the product."""

    case: cohort.Case
    plan: cohort.Plan
    patient: dict
    examination: Examination
    pk: int
    transmittal: int = 0
    series: dict | None = None

    @property
    def title(self) -> str:
        return f"{self.patient['identifier']}, {self.plan.tracer.name}"


def build(team: Team, narration: Narration) -> list[Scan]:
    """Two patients with two scans each, measured, with the blood pool placed."""
    trial, site, now = team.trial(), team.site(), datetime.now(UTC)
    with narration.step("Tracers: ordered, received, released"):
        batches = conduct_run.supply(team, site, now=now)
        narration.say(f"{len(batches)} vials, each for {conduct_run.VIAL_DOSES} patients")
    with narration.step(
        "Patients: screening, consent, evidence, eligibility, enrolment, injection"
    ):
        scans = [
            scan
            for case in cohort.CASES
            for scan in _admitted(team, trial, case, narration, batches=batches)
        ]
        conduct_run.account_for(team, site, batches, now=now)
    with narration.step("Images: phantoms drawn and uploaded, PET and CT of each scan"):
        for scan in scans:
            _send(team, scan, narration)
    with narration.step("Worker: inspection, de-identification, assembly, SUV, lesions"):
        for scan in scans:
            _await(team, scan, narration)
    with narration.step("Blinded reader: blood pool"):
        for scan in scans:
            _read(team, scan)
        narration.say(f"placed on {len(scans)} readings")
    enrolled = {scan.patient["id"]: scan.patient for scan in scans}
    conduct_run.build(team, list(enrolled.values()), narration, now=now)
    return scans


def report(scans: list[Scan], team: Team, narration: Narration, folder: Path) -> int:
    """Export, pictures and tables; how many numbers are outside their tolerance."""
    with narration.step("Statistician: export"):
        archive = _export(team, narration, folder)
    with narration.step("Pictures"):
        pictures = [_picture(team, scan, folder) for scan in scans]
        narration.say(f"{len(pictures)} maximum intensity projections")
    wrong = sum(_compare(scan) for scan in scans)
    _derive(team, scans[0])
    print(heading("Deviations from the protocol, queries to the sites"))
    patients = dict.fromkeys(scan.patient["id"] for scan in scans)
    print("\n".join(one for patient in patients for one in team.found_wanting(patient)) or "none")
    print(heading("Where things are"))
    print(f"export    {archive}", *(f"picture   {one}" for one in pictures), sep="\n")
    return wrong


def _admitted(
    team: Team,
    trial: dict,
    case: cohort.Case,
    narration: Narration,
    *,
    batches: dict[str, int],
) -> list[Scan]:
    site, zone = team[Role.COORDINATOR], ZoneInfo(trial["sites"][0]["time_zone"])
    patient = journey.register(
        site,
        team[Role.INVESTIGATOR],
        trial=DEMO_TRIAL,
        person=case.person,
        password=PASSWORD,
        fill=lambda row: conduct_run.screened(team, row, case.person, zone=zone),
    )
    scans = [
        _injected(team, trial, case, patient, plan, batch=batches[plan.identifier])
        for plan in cohort.PLANS
    ]
    given = " and ".join(
        f"{scan.examination.activity / 1e6:.1f} MBq {scan.plan.tracer.name}" for scan in scans
    )
    narration.say(f"{patient['identifier']}: enrolled; {given}")
    return scans


def _injected(
    team: Team,
    trial: dict,
    case: cohort.Case,
    patient: dict,
    plan: cohort.Plan,
    *,
    batch: int,
) -> Scan:
    site, now = team[Role.COORDINATOR], datetime.now(UTC)
    syringe, started = cohort.given(plan, now=now)
    scan = journey.schedule(
        site,
        patient=patient["id"],
        planned_scan=planned(team.site(), identifier=plan.identifier)["id"],
        at=started,
    )
    journey.clear_for_injection(
        site,
        patient=patient["id"],
        scan=scan["id"],
        at=syringe.assayed_at,
        glucose_mmol_l=plan.glucose_mmol_l,
    )
    journey.inject(
        team[Role.TECHNOLOGIST], scan=scan["id"], person=case.person, given=syringe, batch=batch
    )
    examination = cohort.examination(
        plan,
        syringe,
        started,
        zone=trial["sites"][0]["time_zone"],
        uid_source=f"{now.isoformat()} {patient['identifier']} {plan.identifier}",
    )
    return Scan(case, plan, patient, examination, scan["id"])


def _send(team: Team, scan: Scan, narration: Narration) -> None:
    files = list(cohort.images(scan.case, scan.plan, scan.examination))
    scan.transmittal = journey.send(
        team[Role.TECHNOLOGIST],
        scan=scan.pk,
        files=files,
        say=lambda text: narration.progress(f"{scan.title}: {text}"),
    )
    size = sum(len(content) for _, content in files) / 2**20
    narration.say(f"{scan.title}: {len(files)} files, {size:.1f} MB")


def _await(team: Team, scan: Scan, narration: Narration) -> None:
    site = team[Role.COORDINATOR]
    journey.arrived(
        site,
        scan.transmittal,
        say=lambda text: narration.progress(f"{scan.title}: {text}"),
    )
    found = journey.measured(site, scan.pk)["quantification"]
    narration.say(
        f"{scan.title}: {len(found['lesions'])} regions of SUV {found['parameters']['suv']:g} "
        f"and more, uptake {found['uptake_minutes']:.1f} min"
    )


def _read(team: Team, scan: Scan) -> None:
    site = team[Role.COORDINATOR]
    journey.place_blood_pool(
        team[Role.READER],
        reading=journey.measured(site, scan.pk)["reading_identifier"],
        centre_mm=BLOOD_POOL_CENTRE,
        radius_mm=BLOOD_POOL_RADIUS_MM,
    )
    scan.series = journey.measured(site, scan.pk)


def _export(team: Team, narration: Narration, folder: Path) -> Path:
    row, content = journey.export(team[Role.STATISTICIAN], trial=DEMO_TRIAL, say=narration.progress)
    target = folder / f"export-{row['id']}.zip"
    target.write_bytes(content)
    narration.say(f"{len(content) / 1024:.0f} kB, SHA-256 {row['sha256'][:16]}…")
    return target


def _picture(team: Team, scan: Scan, folder: Path) -> Path:
    picture = scan.series["quantification"]["pictures"][0]
    target = folder / f"mip-{scan.patient['identifier']}-{scan.plan.identifier}.png"
    target.write_bytes(team[Role.COORDINATOR].download(f"/pictures/{picture['id']}/"))
    return target


def _compare(scan: Scan) -> int:
    """Print what was expected and measured of a scan; how many disagree."""
    measurement = scan.series["quantification"]
    lesions = scan.case.lesions[scan.plan.identifier]
    compared = comparison.compared(lesions, scan.plan.tracer, measurement)
    expected, found = cohort.suvbw_factor(scan.case, scan.examination), measurement["suvbw_factor"]
    agrees = math.isclose(expected, found, rel_tol=FACTOR_TOLERANCE)
    print(heading(f"{scan.title}: expected, measured, tolerance"))
    print(f"SUVbw factor {expected:.12f} {found:.12f} g/Bq {'✓' if agrees else '✗'}\n")
    head = ["", *(f"sphere of {sphere.diameter:.0f} mm" for sphere in lesions)]
    print(table(head, comparison.rows(compared)))
    return comparison.disagreements(compared) + (not agrees)


def _derive(team: Team, scan: Scan) -> None:
    sphere = scan.case.lesions[scan.plan.identifier][0]
    lesion = comparison.lesion_of(sphere, scan.series["quantification"])
    if lesion is None:
        return
    print(heading(f"How SUVmax of the {sphere.diameter:.0f} mm sphere of {scan.title} came about"))
    path = f"/lesions/{lesion['id']}/derivation/suvmax/"
    print(tree(team[Role.COORDINATOR].get(path)))
