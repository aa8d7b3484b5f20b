"""The worksheet of a scan day, and the sheet that books it without saying who the patient is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from math import ceil, floor
from zoneinfo import ZoneInfo

from reporting.sheets import syringe
from reporting.sheets.blocks import (
    Block,
    Boxes,
    Cell,
    Column,
    Facts,
    Sheet,
    Signing,
    State,
    Table,
    Text,
)
from reporting.sheets.syringe import Range
from trials import decay
from trials.models import Evidence, ScheduledScan, Tracer, User
from trials.selectors import scan_day as selectors
from trials.services import batches, scan_day

NOT_STATED = "not stated by the source: can't be checked"
TONES = {"met": ("Green", "good"), "unmet": ("Red", "bad"), "not checkable": ("Open", "warn")}


def worksheet(scan: ScheduledScan, by: User) -> Sheet:
    """What to inject, what to check and what to write down, for one scan."""
    day = selectors.likely(scan, by=by)
    weight = _weight(scan)
    return Sheet(
        title="Scan-day worksheet",
        subject=f"Patient {scan.patient} · {scan.planned_scan.label}",
        banner=_banner(scan),
        notes=(
            "A worksheet, not the record: what is written here is entered at the address beside "
            "it. Where the sheet is the first place it is written, it is a source: keep it.",
        ),
        blocks=[
            _plan(scan),
            *_syringe(scan, weight),
            *_batch(scan, day),
            _gate(scan, day),
            Boxes(
                "Syringe",
                [
                    ("Assayed activity", "MBq"),
                    ("Assayed at", "date, time with seconds"),
                    ("Dose calibrator", ""),
                    ("Batch number", ""),
                    ("Residual (empty is not zero)", "MBq"),
                    ("Residual measured at", ""),
                    ("Drawn up by", ""),
                    ("Checked by", ""),
                ],
            ),
            Boxes(
                "Patient before the injection",
                [
                    ("Weight", "kg"),
                    ("Height", "cm"),
                    ("Glucose", "mmol/L  or  mg/dL"),
                    ("Glucose measured at", ""),
                ],
            ),
            Boxes(
                "Injection and scan",
                [
                    ("Injected at", "date, time with seconds"),
                    ("Route", ""),
                    ("Body site", ""),
                    ("Extravasation", "none / suspected / seen"),
                    (_opens(scan), ""),
                    (_closes(scan), ""),
                    ("First PET bed begun at", ""),
                    ("Scanner", ""),
                ],
            ),
            Signing("", ["injected by", "scanned by"]),
        ],
    )


def booking(scan: ScheduledScan) -> Sheet:
    """What radiopharmacy and scanner need to know: the trial's code of the patient, no identity."""
    tracer = scan.planned_scan.tracer
    at_injection = _at_injection(tracer, _weight(scan))
    usable = _words(syringe.usable(at_injection))
    rows: list[list[Cell]] = [[tracer.name, tracer.radionuclide, *usable]]
    if _per_kg(tracer).is_stated:
        per_kg = (_number(one) for one in _values(_per_kg(tracer)))
        rows.append(["By body weight, in MBq/kg", "", *per_kg])
    return Sheet(
        title="Booking sheet",
        subject=f"{scan.patient.trial.identifier} · patient code {scan.patient}",
        banner=_banner(scan),
        notes=(
            "Holds no name, initials or date of birth: the site's identification list tells who "
            "the patient is. Do not write the name on this sheet.",
        ),
        blocks=[
            Facts(
                "Appointment",
                [
                    ("Planned injection", _clock(scan, scan.planned_at)),
                    ("Scan", scan.planned_scan.label),
                    ("Scan begins", _window(scan, scan.planned_at)),
                    ("Coverage", scan.planned_scan.coverage or "not stated"),
                    ("CT", _yes(scan.planned_scan.requires_ct)),
                    ("Reconstruction", scan.planned_scan.reconstruction or "not stated"),
                ],
                columns=3,
            ),
            Table(
                "Tracer and activity at injection",
                [
                    Column("Tracer", "3"),
                    Column("Nuclide", "1"),
                    Column("Lowest MBq", "1", is_number=True),
                    Column("Target MBq", "1", is_number=True),
                    Column("Highest MBq", "1", is_number=True),
                ],
                rows,
                "",
            ),
            *_draws(scan, at_injection),
            Boxes(
                "Confirmed",
                [("Ordered on", ""), ("Slot at the scanner", ""), ("Delivery at", ""), ("By", "")],
            ),
        ],
    )


def _banner(scan: ScheduledScan) -> str:
    if scan.state == ScheduledScan.State.CANCELLED:
        return "CANCELLED: do not inject"
    if getattr(scan, "injection", None) is not None:
        return "Injection recorded already: not for use"
    return ""


def _plan(scan: ScheduledScan) -> Facts:
    tracer = scan.planned_scan.tracer
    return Facts(
        "Planned",
        [
            ("Planned injection", _clock(scan, scan.planned_at)),
            ("Tracer", f"{tracer.name} ({tracer.radionuclide})"),
            ("Scan begins, if injected as planned", _window(scan, scan.planned_at)),
            ("CT", _yes(scan.planned_scan.requires_ct)),
        ],
    )


def _syringe(scan: ScheduledScan, weight: Evidence | None) -> Iterator[Block]:
    """The limits of the protocol, in MBq for the weight that is recorded, and the decay table."""
    tracer = scan.planned_scan.tracer
    fixed, per_kg = _fixed(tracer), _per_kg(tracer)
    rows: list[list[Cell]] = [["In all, MBq", *_words(fixed)]] if fixed.is_stated else []
    if per_kg.is_stated:
        rows.append(["By body weight, MBq/kg", *(_number(one) for one in _values(per_kg))])
        if weight is None:
            rows.append(["For the weight of the patient, MBq", *["weigh first"] * 3])
        else:
            kg = float(weight.value)
            rows.append([f"For {_number(kg)} kg, MBq", *_words(syringe.of_weight(per_kg, kg))])
    columns = [
        Column("Net activity at injection", "3"),
        Column("Lowest", "1", is_number=True),
        Column("Target", "1", is_number=True),
        Column("Highest", "1", is_number=True),
    ]
    yield Table("What to inject", columns, rows, f"Activity {NOT_STATED}.")
    yield Facts("", [("Weight on record", _weight_words(scan, weight))], columns=1)
    yield from _draws(scan, _at_injection(tracer, weight))


def _at_injection(tracer: Tracer, weight: Evidence | None) -> Range:
    """What is allowed in all and by weight together; nothing where a weight is still to be had."""
    fixed, per_kg = _fixed(tracer), _per_kg(tracer)
    if not per_kg.is_stated:
        return fixed
    if weight is None:
        return Range(None, None, None)
    return syringe.narrowed(fixed, syringe.of_weight(per_kg, float(weight.value)))


def _draws(scan: ScheduledScan, stated: Range) -> Iterator[Block]:
    """What the syringe must hold before the injection, on the clock of the site."""
    if problem := syringe.problem(stated):
        yield Text("Activity: ask before drawing", [problem])
    at_injection = syringe.usable(stated)
    nuclide = scan.planned_scan.tracer.radionuclide
    half_life = decay.HALF_LIFE.get(nuclide)
    found = syringe.table(at_injection, half_life=half_life) if half_life else []
    rows = [
        [
            f"{_after(scan, scan.planned_at, -one.minutes):%H:%M}",
            f"{one.minutes} min before",
            *_words(Range(one.target, one.low, one.high)),
        ]
        for one in found
        if at_injection.is_stated
    ]
    told = f" (half-life {half_life / 60:.2f} min)" if half_life else ""
    yield Table(
        f"Activity to draw, decay of {nuclide}{told}",
        [
            Column(f"At, {scan.patient.site.time_zone}", "2"),
            Column("Planned injection", "2"),
            Column("Lowest MBq", "1", is_number=True),
            Column("Target MBq", "1", is_number=True),
            Column("Highest MBq", "1", is_number=True),
        ],
        rows,
        "No table: without a stated activity (and a weight, where it goes by weight), limits "
        "that agree and a known half-life there is nothing to compute.",
    )


def _batch(scan: ScheduledScan, day: scan_day.Day) -> Iterator[Block]:
    if day.batch is None:
        yield Text("Batch", ["No released and unexpired batch is recorded at the site as of now."])
        return
    batch, problems = day.batch, batches.problems(day.batch, at=scan.planned_at)
    state: Cell = (
        State("Not good at the planned injection", "bad", " ".join(problems))
        if problems
        else State("Good at the planned injection", "good")
    )
    yield Facts(
        "Batch",
        [
            ("Number", batch.number),
            (
                "Calibrated",
                f"{_number(batch.calibration_activity_mbq)} MBq at "
                f"{_clock(scan, batch.calibrated_at)}",
            ),
            ("Expires", _clock(scan, batch.expires_at)),
            ("State", state),
        ],
    )


def _gate(scan: ScheduledScan, day: scan_day.Day) -> Table:
    rows = []
    for one in scan_day.conditions(scan, day):
        word, tone = TONES[one.standing]
        rows.append([one.label, State(word, tone), one.sentence])
    columns = [Column("Condition", "3"), Column("State", "1"), Column("Why", "6")]
    return Table("The gate of the day, as of now", columns, rows, "No condition.")


def _weight(scan: ScheduledScan) -> Evidence | None:
    """The newest weight in force: of this scan before one of another day."""
    rows = scan.patient.evidence.filter(superseded_by=None, variable="weight")
    own = [one for one in rows if one.scheduled_scan_id in (None, scan.pk)]
    return max(
        (one for one in own if isinstance(one.value, int | float)),
        key=lambda one: (one.scheduled_scan_id == scan.pk, one.observed_at, one.pk),
        default=None,
    )


def _weight_words(scan: ScheduledScan, weight: Evidence | None) -> Cell:
    if weight is None:
        return State("None: weigh the patient", "warn")
    text = f"{_number(float(weight.value))} kg, measured {weight.observed_at.replace('T', ' ')}"
    if weight.scheduled_scan_id == scan.pk:
        return text
    return State(text, "warn", "Not of the day: weigh again, limits by weight may change.")


def _fixed(tracer: Tracer) -> Range:
    return Range(tracer.activity_target_mbq, tracer.activity_low_mbq, tracer.activity_high_mbq)


def _per_kg(tracer: Tracer) -> Range:
    return Range(tracer.mbq_per_kg_target, tracer.mbq_per_kg_low, tracer.mbq_per_kg_high)


def _values(one: Range) -> tuple[float | None, float | None, float | None]:
    """In the order of the columns."""
    return one.low, one.target, one.high


def _words(one: Range) -> tuple[str, str, str]:
    """In MBq, one decimal, rounded so that what is printed keeps the limits."""
    return (
        _tenths(one.low, ceil, -1e-6),
        _tenths(one.target, round, 0.0),
        _tenths(one.high, floor, 1e-6),
    )


def _tenths(value: float | None, rounded: Callable[[float], int], slack: float) -> str:
    return "–" if value is None else f"{rounded(value * 10 + slack) / 10:.1f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"


def _yes(value: bool | None) -> str:
    return {True: "required", False: "not required", None: "not stated"}[value]


def _zone(scan: ScheduledScan) -> ZoneInfo:
    return ZoneInfo(scan.patient.site.time_zone)


def _clock(scan: ScheduledScan, at: datetime) -> str:
    return f"{at.astimezone(_zone(scan)):%Y-%m-%d %H:%M} {scan.patient.site.time_zone}"


def _window(scan: ScheduledScan, injected_at: datetime) -> str:
    """From when until when the scan may begin, on the clock of the site."""
    low, high = scan.planned_scan.uptake_low_minutes, scan.planned_scan.uptake_high_minutes
    if low is None and high is None:
        return NOT_STATED
    ends = [
        "…" if one is None else f"{_after(scan, injected_at, one):%H:%M}" for one in (low, high)
    ]
    minutes = [_number(one) if one is not None else "…" for one in (low, high)]
    return f"{ends[0]} to {ends[1]} ({minutes[0]} to {minutes[1]} min after injection)"


def _after(scan: ScheduledScan, at: datetime, minutes: float) -> datetime:
    """That many minutes later on the clock of the site, be it set forward or back between."""
    return (at.astimezone(UTC) + timedelta(minutes=minutes)).astimezone(_zone(scan))


def _opens(scan: ScheduledScan) -> str:
    low = scan.planned_scan.uptake_low_minutes
    return "Window opens" + (f", injection + {_number(low)} min" if low is not None else "")


def _closes(scan: ScheduledScan) -> str:
    high = scan.planned_scan.uptake_high_minutes
    return "Window closes" + (f", injection + {_number(high)} min" if high is not None else "")
