"""Response to treatment in the demonstration: two patients scanned before and during it.

Each is scanned twice before it, for repeatability. The first responds: less after two cycles,
nothing left after four. The second is called stable by one reader and progressive by the other,
which a third settles.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from config.demo import cohort, journey
from config.demo.accounts import PASSWORD, RESPONSE_SITE, RESPONSE_TRIAL, user_of
from config.demo.client import Client, DemoFailed
from config.demo.cohort import Plan
from config.demo.enrolling import enrolled
from config.demo.journey import Injected
from config.demo.narration import Narration
from imaging import phantom
from imaging.geometry import Grid
from imaging.isometries import Isometry
from imaging.matching import RecordedShift
from imaging.models import Adjudication, LesionRead, Read, ReferenceRegion, Series
from imaging.phantom import DIAMETERS, FDG, LIVER_CENTRE, PLACES, Sphere
from imaging.phantom_dicom import File, Subject, pet_files
from imaging.response.recist_lesions import RecistLesion
from imaging.selectors import adjudications as adjudicating
from imaging.selectors import comparisons as comparing
from imaging.selectors import reads as reading
from imaging.selectors import regions as placed
from imaging.services import (
    adjudications,
    comparisons,
    reads,
    recist_lesions,
    regions,
    response_answers,
)
from trials.models import Patient, Scanner, ScheduledScan, Site, User
from trials.roles import Role
from trials.services import (
    injections,
    scanners,
    scans,
)

# From the neck to the hips and coarse, for the images are sent and measured while somebody waits.
GRID = Grid(shape=(64, 80, 80), spacing=(8.0, 6.4, 6.4), origin=(-252.8, -252.8, -290.0))
UPTAKE_MINUTES, ASSAYED_MBQ, RESIDUAL_MBQ = 60, 305.0, 5.0
READERS = ("reader", "reader-2")
THIRD = "reader-3"
# Where the spheres of the phantom lie, as a reader says it.
REGIONS = ("nodes_iliac_left", "nodes_iliac_right", "nodes_axillary_left", "nodes_mediastinal")
NEAR_MM = 15.0
LIVER_RADIUS_MM = 15.0
WAIT_SECONDS, ASK_AGAIN_SECONDS = 120, 0.1
CALM = {
    "new_lesion": "no",
    "grown_visibly": "no",
    "grown_by_fifth": "no",
    "risen_elsewhere": "no",
    "indistinguishable": "no",
    "liver_diseased": "no",
    "new_lesion_ct": "no",
    "deauville": "4",
    "uptake": "reduced",
    "marrow": "none",
}


@dataclass(frozen=True)
class Occasion:
    """A scan: which, how many days after the first, SUV of the spheres, and what is read.

    `mm` are short axes on CT of the first two spheres, none of a retest; `said` answers otherwise
    than `CALM`, and `second` is what the second reader answers otherwise.
    """

    planned: str
    day: int
    suv: tuple[float, ...]
    mm: tuple[float, ...] = ()
    said: tuple[tuple[str, str], ...] = ()
    second: tuple[tuple[str, str], ...] = ()

    @property
    def spheres(self) -> tuple[Sphere, ...]:
        """The largest spheres of the phantom, as many as are left."""
        return tuple(
            Sphere(diameter, place, suv)
            for diameter, place, suv in zip(DIAMETERS, PLACES, self.suv, strict=False)
        )


@dataclass(frozen=True)
class Treated:
    """An invented patient under treatment, and her scans in their order."""

    sex_at_birth: str
    birth: str
    weight_kg: float
    height_cm: float
    name: str
    hospital_number: str
    occasions: tuple[Occasion, ...]


PEOPLE = (
    Treated(
        "F", "1962-05-17", 64.0, 165.0, "Haddad^Salma", "HN-310442",
        (
            Occasion("before", 0, (12.0, 10.0, 9.0, 8.0), (31.0, 24.0)),
            Occasion("again", 2, (12.6, 9.7, 9.3, 7.8)),
            Occasion("cycle2", 42, (6.5, 5.5), (19.0, 15.0)),
            Occasion(
                "cycle4", 84, (), (8.0, 7.0), (("indistinguishable", "yes"), ("deauville", "2")),
            ),
        ),
    ),
    Treated(
        "M", "1951-08-30", 81.0, 178.0, "Novak^Petr", "HN-298815",
        (
            Occasion("before", 0, (9.0, 8.0, 7.5), (27.0, 22.0)),
            Occasion("again", 2, (8.7, 7.8, 7.8)),
            Occasion(
                "cycle2", 42, (10.5, 9.0, 8.0), (29.0, 23.0), (("uptake", "unchanged"),),
                second=(("new_lesion", "yes"), ("deauville", "5")),
            ),
        ),
    ),
)  # fmt: skip
# So long ago was the first scan.
FIRST_DAYS_AGO = 91


@dataclass
class Made:
    """A scan on its way: what was injected, and the transmittal that its images came in."""

    person: Treated
    occasion: Occasion
    scan: ScheduledScan
    given: Injected
    started: datetime
    transmittal: int = 0

    @property
    def series(self) -> Series:
        return Series.objects.get(imaging_study__scheduled_scan=self.scan, modality="PT")


def build(address: str, narration: Narration) -> None:
    """Enrol and inject, send the images, have each read twice, and settle a difference."""
    site = Site.objects.select_related("trial").get(
        trial__identifier=RESPONSE_TRIAL, code=RESPONSE_SITE
    )
    with narration.step("Response: scans before and during treatment"):
        if site.patients.exists():
            narration.say("was read before")
            return
        by = user_of(Role.COORDINATOR, site.code)
        scanner = qualified(site, by)
        made = [one for person in PEOPLE for one in scanned(site, person, scanner, by)]
        # Drawn before the first is sent: a connection left idle meanwhile may be closed.
        drawn = [list(_images(one)) for one in made]
        client = Client(address, username=by.username, password=PASSWORD)
        for one, files in zip(made, drawn, strict=True):
            one.transmittal = journey.send(
                client, scan=one.scan.pk, files=files, say=narration.progress
            )
        for one in made:
            journey.arrived(client, one.transmittal, say=narration.progress)
        narration.say(f"{len(PEOPLE)} patients, {len(made)} scans sent and measured")
    with narration.step("Response: two readers each, a third where they differ"):
        for number, username in enumerate(READERS):
            by = User.objects.get(username=username)
            signed = [(one, _read(one, by, is_second=number == 1)) for one in made]
            for person in PEOPLE:
                compare([read for one, read in signed if one.person is person], by)
        differing = [one for one in made if one.occasion.second]
        for one in differing:
            _settle(one, User.objects.get(username=THIRD))
        narration.say(f"{len(made) * len(READERS)} reads signed, {len(differing)} settled")


def qualified(site: Site, by: User) -> Scanner:
    """A scanner that was qualified and compared with the dose calibrator before the first scan."""
    scanner = scanners.register(
        site, name="PET 1", manufacturer="Imaginary", model="Phantom 4", by=by
    )
    since = site.today() - timedelta(days=FIRST_DAYS_AGO + 30)
    held = {
        "valid_from": since,
        "valid_until": since + timedelta(days=365),
        "reference": "invented certificate",
        "by": by,
    }
    scanners.qualify(scanner, tracer="FDG", **held)
    scanners.cross_calibrate(scanner, factor=1.01, **held)
    return scanner


def scanned(site: Site, person: Treated, scanner: Scanner, by: User) -> Iterator[Made]:
    """Enrol somebody, and inject for each of the scans."""
    patient, first = _enrolled(site, person)
    plans = {one.identifier: one for one in site.version_in_force.planned_scans.all()}
    plan = Plan("fdg", FDG, ASSAYED_MBQ, RESIDUAL_MBQ, UPTAKE_MINUTES, 0)
    for occasion in person.occasions:
        given, started = cohort.given(plan, now=first + timedelta(days=occasion.day))
        scan = scans.schedule(
            patient, planned_scan=plans[occasion.planned], planned_at=started, by=by
        )
        injections.record(
            scan,
            assayed_activity_mbq=given.assayed_activity_mbq,
            assayed_at=given.assayed_at,
            residual_activity_mbq=given.residual_activity_mbq,
            residual_at=given.residual_at,
            injected_at=given.injected_at,
            weight_kg=person.weight_kg,
            height_cm=person.height_cm,
            scanner=scanner,
            glucose=injections.Glucose(
                value=5.2,
                unit="mmol/L",
                measured_at=given.assayed_at.isoformat(timespec="minutes"),
            ),
            by=by,
        )
        yield Made(person, occasion, scan, given, started)


def _enrolled(site: Site, person: Treated) -> tuple[Patient, datetime]:
    """The patient, and when the first scan begins."""
    today = datetime.combine(site.today(), datetime.min.time(), ZoneInfo(site.time_zone))
    first = today - timedelta(days=FIRST_DAYS_AGO) + timedelta(hours=10)
    patient = enrolled(
        site,
        sex_at_birth=person.sex_at_birth,
        birth=person.birth,
        consented_on=(first - timedelta(days=3)).date(),
    )
    return patient, first


def _images(one: Made) -> Iterator[File]:
    person, zone = one.person, one.scan.patient.site.time_zone
    plan = Plan("fdg", FDG, ASSAYED_MBQ, RESIDUAL_MBQ, UPTAKE_MINUTES, 0)
    spheres = one.occasion.spheres
    examination = cohort.examination(
        plan, one.given, one.started, zone=zone, uid_source=f"response {one.scan.pk} {one.started}"
    )
    subject = Subject(
        name=person.name,
        patient_id=person.hospital_number,
        birth=date.fromisoformat(person.birth),
        sex=person.sex_at_birth,
        weight_kg=person.weight_kg,
        height_m=person.height_cm / 100,
    )
    suv = phantom.pet_volume(FDG, spheres, seed=one.scan.pk, grid=GRID)
    yield from pet_files(suv, grid=GRID, subject=subject, examination=examination)


def _read(one: Made, by: User, *, is_second: bool) -> Read:
    """Decide every region, answer what the scales ask, measure two nodes on CT, and sign."""
    read = reads.open_read(one.series, by=by)
    stood_for = placed.stood_for(read.quantification)
    if not stood_for.filter(kind=ReferenceRegion.Kind.LIVER).exists():
        regions.place(
            read.quantification,
            kind=ReferenceRegion.Kind.LIVER,
            centre_mm=LIVER_CENTRE,
            radius_mm=LIVER_RADIUS_MM,
            by=by,
        )
    for row in reading.rows_of(read):
        reads.decide(row, by=by, decision="accepted", region=_region(row))
    occasion = one.occasion
    said = CALM | dict(occasion.said) | (dict(occasion.second) if is_second else {})
    asked = {question.code for question in response_answers.asked_of(one.scan)}
    response_answers.say(read, {code: said[code] for code in sorted(asked)}, by=by)
    if occasion.mm:
        recist_lesions.record(read, list(on_ct(occasion, is_second=is_second)), by=by)
    reads.sign(read, by=by, password=PASSWORD)
    return Read.objects.get(pk=read.pk)


def compare(signed: list[Read], by: User) -> None:
    """Say which lesion of each later scan is which of the first, as EORTC asks, and sign."""
    baseline, *later = signed
    alike = RecordedShift(motion=Isometry(), how="The phantom lies alike in every scan.")
    for read in later:
        row = comparisons.propose(baseline, read, by=by, shift=alike)
        comparisons.confirm(row, [one.number for one in comparing.pairs_of(row)], by=by)
        comparisons.sign(row, by=by, password=PASSWORD)


def _region(row: LesionRead) -> str:
    """The region of the sphere that an outline lies on."""
    apart = [math.dist(row.measured.centroid_mm, place) for place in PLACES]
    nearest = min(range(len(PLACES)), key=apart.__getitem__)
    if apart[nearest] > NEAR_MM:
        raise DemoFailed(f"Region {row.number} lies on no sphere of the phantom.")
    return REGIONS[nearest]


def on_ct(occasion: Occasion, *, is_second: bool) -> Iterator[RecistLesion]:
    """Two nodes as measured on CT; the second reader measures one a millimetre longer."""
    for number, length in enumerate(occasion.mm, start=1):
        apart = 1.0 if is_second and number == 1 else 0.0
        yield RecistLesion(f"T{number}", REGIONS[number - 1], "measured", length + apart)


def _settle(one: Made, by: User) -> None:
    """A third reader agrees with the one who saw no new lesion."""
    end = time.monotonic() + WAIT_SECONDS
    while not adjudicating.waits(one.scan):
        if time.monotonic() > end:
            raise DemoFailed("No difference of the two readers was found.")
        time.sleep(ASK_AGAIN_SECONDS)
    row: Adjudication = adjudications.begin(one.series, by=by)
    first = User.objects.get(username=READERS[0])
    (letter,) = (side.letter for side in adjudicating.sides(row) if side.read.reader == first)
    adjudications.sign(
        row,
        by=by,
        choice=letter,
        reason="The uptake in the neck is brown fat, and no new lesion.",
        password=PASSWORD,
    )
