"""What a monitor looks at on the next visit of a site: everything that is open, oldest first.

A fixed number of queries for any number of patients.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils import timezone

from imaging.models import Transmittal
from imaging.selectors import waiting
from reporting.sheets.blocks import Cell, Column, Facts, Sheet, Table
from trials import board as cells
from trials import case_report_forms, schedule
from trials.models import (
    ActionItem,
    Consent,
    Deviation,
    FormEntry,
    ItemValue,
    MonitoringVisit,
    Patient,
    Query,
    ScheduledScan,
    Signature,
    Site,
    SourceVerification,
)
from trials.selectors import accountability, board
from trials.selectors.panel_veil import VEIL
from trials.selectors.schedule import worklist
from trials.services import batches, form_reviews, panel_rights

LATE = {schedule.Standing.OVERDUE.value, schedule.Standing.MISSED.value}


def listed(site: Site) -> Sheet:
    """Each list with what a monitor needs to find the record."""
    now = timezone.now()
    patients = Patient.objects.filter(site=site)
    rows = board.rows(patients.order_by("number"), board.columns([site]))
    entries = list(
        FormEntry.objects.filter(patient__site=site, state=FormEntry.State.COMPLETE)
        .select_related("patient", "version")
        .prefetch_related("values", "moves__from_version")
        .order_by("patient__number", "pk")
    )
    blocks = [
        _queries(site, now),
        _action_items(site),
        _deviations(site),
        _to_audit(rows),
        _unverified(rows),
        _unverified_forms(entries),
        _unsigned_forms(entries),
        _consents(site),
        _overdue(patients, now),
        _missing_series(site, now),
        _tracers(site, now),
    ]
    return Sheet(
        title="Pre-visit list",
        subject=f"Site {site}",
        notes=(f"Last monitoring visit on record: {_last_visit(site)}.",),
        blocks=[
            Facts(
                "What is open",
                [(one.title, str(len(one.rows))) for one in blocks],
                columns=5,
            ),
            *blocks,
        ],
    )


def _last_visit(site: Site) -> str:
    visit = MonitoringVisit.objects.filter(site=site).order_by("-held_on", "-pk").first()
    return f"{visit.held_on}, {visit.get_kind_display().lower()}" if visit else "none"


def _queries(site: Site, now: datetime) -> Table:
    rows = list(
        Query.objects.filter(site=site)
        .exclude(state=Query.State.CLOSED)
        .select_related("patient")
        .order_by("opened_at", "pk")
    )
    # Paper lies about at a site, which may not read what the truth panel decides.
    decided = panel_rights.decided_by_it((one.subject_table, one.subject_pk) for one in rows)
    return Table(
        "Open queries",
        [
            Column("Query"),
            Column("Age, days", is_number=True),
            Column("State"),
            Column("Patient"),
            Column("Question", "1"),
        ],
        [
            [
                str(one.pk),
                str((now - one.opened_at).days),
                one.get_state_display(),
                str(one.patient) if one.patient else "–",
                VEIL if (one.subject_table, one.subject_pk) in decided else one.text,
            ]
            for one in rows
        ],
        "No query is open.",
    )


def _action_items(site: Site) -> Table:
    rows = ActionItem.objects.filter(visit__site=site).exclude(state=ActionItem.State.CLOSED)
    return Table(
        "Action items",
        [
            Column("Item"),
            Column("Of visit"),
            Column("Due"),
            Column("Owner"),
            Column("State"),
            Column("What", "1"),
        ],
        [
            [
                str(one.number),
                f"{one.visit.held_on}",
                f"{one.due_on}",
                one.owner,
                one.get_state_display(),
                one.text,
            ]
            for one in rows.select_related("visit").order_by("due_on", "pk")
        ],
        "No action item is open.",
    )


def _deviations(site: Site) -> Table:
    rows = Deviation.objects.filter(patient__site=site).exclude(state=Deviation.State.CLOSED)
    return Table(
        "Deviations not closed",
        [Column("Deviation"), Column("State"), Column("Patient"), Column("What", "1")],
        [
            [
                str(one.pk),
                one.get_state_display(),
                str(one.patient) if one.patient else "–",
                one.text,
            ]
            for one in rows.select_related("patient").order_by("pk")
        ],
        "Every deviation is closed.",
    )


def _to_audit(rows: Iterable[board.Row]) -> Table:
    """Enrolled patients whose verdict does not stand as signed."""
    found: list[list[Cell]] = []
    for row in rows:
        if row.patient.state != Patient.State.ENROLLED:
            continue
        why = [
            said
            for holds, said in (
                (row.is_despite, "enrolled despite criteria"),
                (row.is_signature_broken, "the record changed after the signature"),
                (not row.is_signed and not row.is_signature_broken, "verdict not signed"),
                (not row.stands, "the assessment no longer stands"),
            )
            if holds
        ]
        if why:
            found.append([str(row.patient), row.verdict or "Not assessed", ", ".join(why)])
    columns = [Column("Patient"), Column("Verdict", "1"), Column("Why", "2")]
    return Table("Eligibility to audit", columns, found, "Each verdict stands and is signed.")


def _unverified(rows: Iterable[board.Row]) -> Table:
    """By patient, the criteria whose evidence no monitor compared as it stands."""
    found: list[list[Cell]] = []
    for row in rows:
        open_ones = sorted(
            {
                one.criterion
                for one in row.cells
                if one.is_judged and one.verification != cells.VERIFIED
            }
        )
        if open_ones:
            found.append([str(row.patient), str(len(open_ones)), ", ".join(open_ones)])
    columns = [Column("Patient"), Column("Criteria", is_number=True), Column("Which", "1")]
    return Table("Evidence not verified", columns, found, "Every judged criterion is verified.")


def _unverified_forms(entries: list[FormEntry]) -> Table:
    """Complete forms with values that no monitor compared as they stand."""
    marks = dict(
        SourceVerification.objects.filter(item_value__entry__in=entries)
        .order_by("pk")
        .values_list("item_value", "evidence_sha256")
    )
    found: list[list[Cell]] = []
    for entry in entries:
        values = [one for one in entry.values.all() if not one.is_empty]
        left = [one for one in values if not _is_verified(one, marks)]
        if left:
            told = f"{len(left)} of {len(values)}"
            found.append([*_named(entry), told])
    columns = [
        Column("Patient"),
        Column("Form", "1"),
        Column("Visit", "1"),
        Column("Values not verified", is_number=True),
    ]
    return Table("Forms not verified", columns, found, "Every value of every form is verified.")


def _named(entry: FormEntry) -> list[Cell]:
    """Patient, form and visit of an entry, in the words of the version that asked it."""
    definition = entry.version.definition
    forms = {one["identifier"]: one for one in definition.get("forms", ())}
    visits = case_report_forms.visit_labels(definition)
    asked = forms[entry.form]
    number = f" {entry.repeat}" if asked.get("is_repeating") else ""
    visit = visits.get(entry.visit, entry.visit)
    return [str(entry.patient), f"{asked['label']}{number}", visit or "–"]


def _is_verified(value: ItemValue, marks: dict[int, str]) -> bool:
    return value.pk in marks and marks[value.pk] == form_reviews.digest_of(value)


def _unsigned_forms(entries: list[FormEntry]) -> Table:
    signed: dict[int, str] = dict(
        Signature.objects.filter(
            subject_table=FormEntry._meta.db_table, subject_pk__in=[one.pk for one in entries]
        )
        .order_by("signed_at", "pk")
        .values_list("subject_pk", "content_sha256")
    )
    found: list[list[Cell]] = []
    for entry in entries:
        is_there = entry.pk in signed
        if is_there and form_reviews.is_what_was_signed(entry, signed[entry.pk]):
            continue
        why = "changed after the signature" if is_there else "never signed"
        found.append([*_named(entry), why])
    columns = [Column("Patient"), Column("Form", "1"), Column("Visit", "1"), Column("Why", "1")]
    return Table("Forms not signed", columns, found, "Every complete form is signed.")


def _consents(site: Site) -> Table:
    """Consents recorded since the last visit, which nobody looked at on site yet."""
    last = MonitoringVisit.objects.filter(site=site).order_by("-held_on", "-pk").first()
    rows = Consent.objects.filter(patient__site=site).select_related("patient")
    if last:
        midnight = datetime.combine(last.held_on, datetime.min.time(), ZoneInfo(site.time_zone))
        rows = rows.filter(recorded_at__gte=midnight)
    copies = {True: "yes", False: "NO", None: "not stated"}
    by_patient: dict[int, list[Consent]] = defaultdict(list)
    for one in rows.order_by("patient__number", "pk"):
        by_patient[one.patient_id].append(one)
    return Table(
        "Consents to verify",
        [
            Column("Patient"),
            Column("Form"),
            Column("Signed"),
            Column("By", "1"),
            Column("Obtained by", "1"),
            Column("Copy given"),
        ],
        [
            [
                str(one.patient),
                f"{one.version} ({one.language})",
                _as_known(one.signed_at, ZoneInfo(site.time_zone)),
                one.get_signatory_display(),
                one.obtained_by,
                copies[one.copy_given],
            ]
            for several in by_patient.values()
            for one in several
        ],
        "No consent was recorded since the last visit.",
    )


def _as_known(signed_at: str, zone: ZoneInfo) -> str:
    """A day as it was written, a moment on the clock of the site."""
    if "T" not in signed_at:
        return signed_at
    at = datetime.fromisoformat(signed_at)
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at.tzinfo else signed_at.replace("T", " ")


def _overdue(patients, now: datetime) -> Table:
    """Visits and scans whose window closes or closed without them."""
    found: list[list[Cell]] = [
        [
            str(one.patient),
            one.what,
            one.standing,
            f"{one.until.astimezone(ZoneInfo(one.patient.site.time_zone)):%Y-%m-%d}"
            if one.until
            else "–",
        ]
        for one in worklist(patients, now=now)
        if one.standing in LATE
    ]
    columns = [Column("Patient"), Column("What", "2"), Column("Stands"), Column("Until")]
    return Table("Overdue scans and visits", columns, found, "Nothing is overdue.")


def _missing_series(site: Site, now: datetime) -> Table:
    """Scans that were injected and have no images here, and transmittals that wait too long."""
    injected = (
        ScheduledScan.objects.filter(
            patient__site=site, state=ScheduledScan.State.INJECTED, injection__isnull=False
        )
        .select_related("patient", "planned_scan", "injection")
        .order_by("injection__injected_at", "pk")
    )
    zone = ZoneInfo(site.time_zone)
    found: list[list[Cell]] = [
        [
            str(one.patient),
            one.planned_scan.label,
            f"{one.injection.injected_at.astimezone(zone):%Y-%m-%d}",
            "no images sent",
        ]
        for one in injected
    ]
    late = waiting.late(Transmittal.objects.filter(site=site), now=now)
    found += [
        [
            str(one.scheduled_scan.patient) if one.scheduled_scan else "–",
            f"transmittal {one.pk}",
            f"{one.moved_at.astimezone(zone):%Y-%m-%d}",
            waiting.advice_of(one),
        ]
        for one in late.select_related("scheduled_scan__patient").order_by("moved_at", "pk")
    ]
    columns = [Column("Patient"), Column("Of", "1"), Column("Since"), Column("What", "2")]
    return Table("Missing series", columns, found, "Every injected scan has its images.")


def _tracers(site: Site, now: datetime) -> Table:
    """Where the account of a tracer does not come out, or nobody signed it as it stands."""
    lines = accountability.lines(site, at=now)
    found: list[list[Cell]] = [
        [one.tracer, one.batch.number, str(one.balance.on_hand), "; ".join(why)]
        for one in lines
        if one.batch and (why := _unsettled(one, now))
    ]
    on_hand = {one.tracer: str(one.balance.on_hand) for one in lines if one.batch is None}
    found += [
        [one.tracer, "all", on_hand[one.tracer], _unreviewed(one, ZoneInfo(site.time_zone))]
        for one in accountability.reviewed(site, lines)
        if not one.stands
    ]
    columns = [
        Column("Tracer"),
        Column("Batch"),
        Column("Doses on hand", is_number=True),
        Column("What", "2"),
    ]
    return Table("Tracers to account for", columns, found, "Each balance is signed as it stands.")


def _unsettled(line: accountability.Line, now: datetime) -> list[str]:
    """Why the account of a batch does not come out, in words."""
    batch, found = line.batch, list[str]()
    if line.differs:
        dispensed = line.balance.by_kind["dispensed"]
        found.append(f"dispensed {dispensed}, injections recorded {line.injections}")
    if batch and line.balance.on_hand and batch.expires_at < now:
        until = batches.on_site(batch, batch.expires_at)
        found.append(f"expired {until}, neither returned nor destroyed")
    return found


def _unreviewed(tracer: accountability.Reviewed, zone: ZoneInfo) -> str:
    if tracer.review is None:
        return "balance never signed"
    signed = tracer.review.reviewed_at.astimezone(zone)
    return f"balance signed {signed:%Y-%m-%d}; {tracer.since}"
