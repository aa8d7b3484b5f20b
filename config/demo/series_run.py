"""The demo with a folder of real DICOM files, of any date, with whatever else lies in it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pydicom
from pydicom.errors import InvalidDicomError

from config.demo import journey
from config.demo.accounts import DEMO_TRIAL, PASSWORD
from config.demo.client import DemoFailed
from config.demo.journey import Injected, Person
from config.demo.narration import Narration, heading, table
from config.demo.team import Team, planned
from imaging.headers import PetHeader, pet_header
from imaging.suv import SuvRefused, suvbw_scale
from trials.roles import Role

BQ_PER_MBQ = 1e6
# Enough to enrol the invented patient whose images the folder holds; not from the images.
BIRTH, HEIGHT_CM, CREATININE, DIAGNOSIS = "1960", 170.0, 0.9, "NHL"


@dataclass(frozen=True)
class Found:
    """What the headers of the first PET series in a folder say."""

    files: list[Path]
    headers: list[PetHeader]

    @property
    def nuclide(self) -> str:
        items = self.headers[0].radiopharmaceuticals
        return (items[0].nuclide if items else None) or ""

    @property
    def sex(self) -> str:
        sex = self.headers[0].patient_sex
        return sex if sex in {"F", "M"} else "U"

    @property
    def first_bed(self) -> datetime:
        starts = [
            datetime.combine(one.acquisition_date, one.acquisition_time)
            for one in self.headers
            if one.acquisition_date and one.acquisition_time
        ]
        if not starts:
            raise DemoFailed("The PET images give no Acquisition Date and Time.")
        return min(starts)

    @property
    def digest(self) -> str:
        """Of the content of the folder, whatever the names."""
        digests = sorted(hashlib.sha256(file.read_bytes()).hexdigest() for file in self.files)
        return hashlib.sha256("".join(digests).encode()).hexdigest()


def look_into(folder: Path) -> Found:
    """All files of a folder, and the headers of its largest PET series."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    headers = [header for header in map(_pet_header, files) if header]
    if not headers:
        raise DemoFailed(f"{folder} holds {len(files)} files, but no PET image.")
    series = [header.series_instance_uid for header in headers]
    largest = max(set(series), key=series.count)
    return Found(files, [one for one in headers if one.series_instance_uid == largest])


def run(folder: Path, team: Team, narration: Narration, results: Path) -> None:
    """Register, schedule, inject, upload and measure; then say what was found."""
    with narration.step(f"Folder {folder}"):
        found = look_into(folder)
        narration.say(
            f"{len(found.files)} files, a PET series of {len(found.headers)} images, "
            f"{found.nuclide or 'radionuclide unknown'}, {found.first_bed:%Y-%m-%d %H:%M}"
        )
    site = team[Role.COORDINATOR]
    note = results / f"series-{found.digest[:16]}.json"
    with narration.step("Patient"):
        scan = _known(team, note) or _admitted(team, found, narration)
        note.write_text(json.dumps(scan))
        narration.say(f"{scan['patient_identifier']}: {scan['label']}")
    with narration.step("Upload"):
        files = ((file.name, file) for file in found.files)
        technologist = team[Role.TECHNOLOGIST]
        # The patient is invented: whose images the folder holds, nobody here knows.
        transmittal = journey.send(
            technologist,
            scan=scan["id"],
            files=files,
            say=narration.progress,
            is_deidentified=True,
        )
    with narration.step("Worker: inspection, de-identification, assembly, SUV, lesions"):
        arrived = journey.arrived(site, transmittal, say=narration.progress)
        _say_files(team, arrived, narration)
    series = journey.measured(site, scan["id"])
    picture = _picture(team, series, scan, results)
    _report(team, series, scan)
    print(heading("Where things are"))
    print(f"picture   {picture}")


def _pet_header(file: Path) -> PetHeader | None:
    try:
        return pet_header(pydicom.dcmread(file, stop_before_pixels=True))
    except (InvalidDicomError, OSError, EOFError, ValueError):
        return None


def _known(team: Team, note: Path) -> dict | None:
    """The scan that the same files were sent for before, if the site still has it."""
    if not note.exists():
        return None
    scan = json.loads(note.read_text())
    now = team[Role.COORDINATOR].find(f"/scans/{scan['id']}/")
    same = now and all(now[key] == scan[key] for key in ("patient_identifier", "planned_at"))
    return now if same else None


def _admitted(team: Team, found: Found, narration: Narration) -> dict:
    """A new patient with a scan on the day of the images, injected as their headers say."""
    site, trial = team[Role.COORDINATOR], team.trial()
    plan = planned(team.site(), radionuclide=found.nuclide)
    header, zone = found.headers[0], ZoneInfo(trial["sites"][0]["time_zone"])
    height = header.patient_size * 100 if header.patient_size else HEIGHT_CM
    person = Person(found.sex, BIRTH, header.patient_weight or 0.0, height, CREATININE, DIAGNOSIS)
    patient = journey.register(
        site, team[Role.INVESTIGATOR], trial=DEMO_TRIAL, person=person, password=PASSWORD
    )
    scan = journey.schedule(
        site,
        patient=patient["id"],
        planned_scan=plan["id"],
        at=found.first_bed.replace(tzinfo=zone),
    )
    syringe = _syringe(found, zone)
    if syringe and header.patient_weight:
        journey.inject(
            team[Role.TECHNOLOGIST],
            scan=scan["id"],
            person=person,
            given=syringe,
            despite="images of another day than the invented patient's consent and laboratory",
        )
    else:
        narration.say("the headers do not settle the injection: none is recorded")
    return site.get(f"/scans/{scan['id']}/")


def _syringe(found: Found, zone: ZoneInfo) -> Injected | None:
    """The injected activity of the headers as an assay at the injection; no residual known."""
    try:
        scale = suvbw_scale(found.headers)
    except SuvRefused:
        return None
    if scale.injection is None or scale.injected_activity is None:
        return None
    at = scale.injection.replace(tzinfo=zone).astimezone(UTC)
    return Injected(scale.injected_activity / BQ_PER_MBQ, at, None, None, at)


def _say_files(team: Team, transmittal: dict, narration: Narration) -> None:
    counts = ", ".join(f"{n} {state}" for state, n in transmittal["files"].items())
    narration.say(f"files: {counts}")
    path = f"/transmittals/{transmittal['id']}/files/"
    refused = [one for one in team[Role.COORDINATOR].every(path) if one["code"]]
    for message in dict.fromkeys(one["message"] for one in refused):
        narration.say(message)


def _picture(team: Team, series: dict, scan: dict, results: Path) -> Path | str:
    pictures = series["quantification"]["pictures"]
    if not pictures:
        return "none could be drawn"
    target = results / f"mip-{scan['patient_identifier']}-{scan['plan']}.png"
    target.write_bytes(team[Role.COORDINATOR].download(f"/pictures/{pictures[0]['id']}/"))
    return target


def _report(team: Team, series: dict, scan: dict) -> None:
    found = series["quantification"]
    if found["suvbw_factor"] is None:
        raise DemoFailed(f"No SUV could be given: {found['message']}")
    print(heading("Measured"))
    print(f"SUVbw factor  {found['suvbw_factor']:.12f} g/Bq")
    print(f"SUVmax        {found['suvmax']:.2f} g/mL")
    minutes = found["uptake_minutes"]
    print("uptake time   " + ("unknown" if minutes is None else f"{minutes:.1f} min"))
    print(f"flags         {', '.join(found['flags']) or 'none'}\n")
    head = ["lesion", "SUVmax", "SUVmean", "SUVpeak", "mL", "TBR liver", "centre, mm (LPS)"]
    print(table(head, [_row(lesion) for lesion in found["lesions"]]))
    print(heading("Deviations from the protocol, queries to the site"))
    print("\n".join(team.found_wanting(scan["patient"])) or "none")


def _row(lesion: dict) -> list[str]:
    ratios = [one["tbr"] for one in lesion["ratios"] if one["kind"] == "liver"]
    return [
        str(lesion["number"]),
        *(f"{lesion[name]:.2f}" for name in ("suvmax", "suvmean", "suvpeak", "volume_ml")),
        f"{ratios[-1]:.2f}" if ratios else "–",
        "{:.0f} {:.0f} {:.0f}".format(*lesion["centroid_mm"]),
    ]
