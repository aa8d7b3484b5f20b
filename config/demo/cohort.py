"""Two invented patients, what they are given, and the images a scanner would send of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from config.demo.journey import Injected, Person
from imaging import phantom
from imaging.phantom_dicom import Examination, File, Subject, ct_files, pet_files
from trials.decay import HALF_LIFE, net_activity

BQ_PER_MBQ = 1e6


@dataclass(frozen=True)
class Plan:
    """A planned scan of the demo trial, and how it goes here; minutes before now."""

    identifier: str
    tracer: phantom.Tracer
    assayed_mbq: float
    residual_mbq: float
    uptake_minutes: int
    started_minutes_ago: int
    glucose_mmol_l: float | None = None


PLANS = (
    Plan("ptf", phantom.PENTIXAFOR, 172.0, 4.0, 55, 80),
    Plan("fdg", phantom.FDG, 268.0, 6.0, 60, 20, glucose_mmol_l=5.4),
)


@dataclass(frozen=True)
class Case:
    """A patient with the name the scanner knows, and her lesions by planned scan."""

    person: Person
    name: str
    hospital_number: str
    lesions: dict[str, tuple[phantom.Sphere, ...]]
    seed: int


CASES = (
    Case(
        Person("F", "1984-04-23", 68.0, 166.0, 0.8, "NHL"),
        "Okonkwo^Adaeze^Maria",
        "HN-204711",
        {
            "ptf": phantom.spheres((12.0, 9.0, 8.0, 10.0), shift=(1.3, -0.7, 2.1)),
            "fdg": phantom.spheres((7.0, 6.5, 9.0, 11.0), shift=(1.3, -0.7, 2.1)),
        },
        seed=61,
    ),
    Case(
        Person("M", "1954-11-02", 83.5, 181.0, 1.0, "MM"),
        "Lindqvist^Jonas",
        "HN-187330",
        {
            "ptf": phantom.spheres((9.5, 14.0, 10.0, 12.0), shift=(-1.9, 0.4, -1.2)),
            "fdg": phantom.spheres((11.0, 8.0, 7.5, 9.0), shift=(-1.9, 0.4, -1.2)),
        },
        seed=54,
    ),
)


def given(plan: Plan, *, now: datetime) -> tuple[Injected, datetime]:
    """What is injected when, and when the first bed begins."""
    started = now.replace(second=0, microsecond=0) - timedelta(minutes=plan.started_minutes_ago)
    injected = started - timedelta(minutes=plan.uptake_minutes)
    return (
        Injected(
            assayed_activity_mbq=plan.assayed_mbq,
            assayed_at=injected - timedelta(minutes=6),
            residual_activity_mbq=plan.residual_mbq,
            residual_at=injected + timedelta(minutes=4),
            injected_at=injected,
        ),
        started,
    )


def examination(
    plan: Plan, syringe: Injected, started: datetime, *, zone: str, uid_source: str
) -> Examination:
    """The scan by the scanner's clock, which shows the local time."""

    def local(moment: datetime) -> datetime:
        return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)

    net = net_activity(
        assayed=syringe.assayed_activity_mbq * BQ_PER_MBQ,
        assay_to_injection=(syringe.injected_at - syringe.assayed_at).total_seconds(),
        residual=syringe.residual_activity_mbq * BQ_PER_MBQ,
        injection_to_residual=(syringe.residual_at - syringe.injected_at).total_seconds(),
        half_life=HALF_LIFE[plan.tracer.radionuclide],
    )
    return Examination(
        tracer=plan.tracer,
        activity=net.value,
        injected_at=local(syringe.injected_at),
        started_at=local(started),
        uid_source=uid_source,
    )


def images(case: Case, plan: Plan, scan: Examination) -> Iterator[File]:
    """PET and CT of the phantom as DICOM files, under the patient's own name."""
    lesions = case.lesions[plan.identifier]
    subject = Subject(
        name=case.name,
        patient_id=case.hospital_number,
        birth=date.fromisoformat(case.person.birth),
        sex=case.person.sex_at_birth,
        weight_kg=case.person.weight_kg,
        height_m=case.person.height_cm / 100,
    )
    suv = phantom.pet_volume(plan.tracer, lesions, seed=case.seed)
    yield from pet_files(suv, grid=phantom.PET_GRID, subject=subject, examination=scan)
    hounsfield = phantom.ct_volume(lesions, seed=case.seed)
    yield from ct_files(hounsfield, grid=phantom.CT_GRID, subject=subject, examination=scan)


def suvbw_factor(case: Case, scan: Examination) -> float:
    """What the headers must give, in g/Bq, from syringe, clock and scales."""
    elapsed = (scan.started_at - scan.injected_at).total_seconds()
    remaining = scan.activity * 2 ** (-elapsed / scan.half_life)
    return case.person.weight_kg * 1000 / remaining
