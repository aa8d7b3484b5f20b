"""Sheets are printed: by whom, when, of what, with the digest of what stood on the paper.

The content is read, set and counted before the record is written, so that nobody waits for the
typesetter; two who print the same sheet at once would take the same number, and one is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import IntegrityError
from django.utils import timezone

from reporting.models import PrintedSheet
from reporting.selectors.sheets import pre_visit, scan_day, screening, visit
from reporting.services import typesetting
from reporting.sheets.blocks import Head, Sheet
from trials import canonical, permissions
from trials.models import ProtocolVersion, ScheduledScan, ScopedModel, Site, User
from trials.services import audit, subjects
from trials.services.errors import Refused
from trials.version import VERSION

Kind = PrintedSheet.Kind


@dataclass(frozen=True)
class Printed:
    """A sheet on paper: its bytes, what its file is called, and what the record keeps of it."""

    content: bytes
    file_name: str
    row: PrintedSheet


@dataclass(frozen=True)
class Press:
    """How a kind of sheet is printed: who may, and what is on it for whoever prints."""

    permission: str
    built: Callable[..., Sheet]


def print_sheet(kind: Kind, about: ScopedModel, *, by: User, address: str) -> Printed:
    """Print a sheet about a row; `address` is where its page is."""
    press = PRESSES[kind]
    permissions.require(by, press.permission, about)
    site, version = _site_of(about), _version_of(about)
    if version is None:
        raise Refused("no-version", f"No protocol version is in force at {site} yet.")
    now = timezone.now()
    table, pk = about._meta.db_table, about.pk
    earlier = PrintedSheet.objects.filter(kind=kind, subject_table=table, subject_pk=pk)
    number = earlier.count() + 1
    sheet = replace(press.built(about, by), address=address)
    content = sheet.content(_head(site, version, by=by, now=now, number=number))
    digest = canonical.sha256(content)
    made = typesetting.pdf(content, digest=digest[:16])
    patient = subjects.patient_of(about)
    try:
        with audit.action(
            "sheet.printed",
            actor=by,
            reason=f"{sheet.title}, {sheet.subject}, print {number}",
            trial=site.trial_id,
            patient=patient.pk if patient else None,
        ):
            row = PrintedSheet.objects.create(
                trial=site.trial,
                site=site,
                patient=patient,
                kind=kind,
                subject_table=table,
                subject_pk=pk,
                number=number,
                protocol_version=version.label,
                content_sha256=digest,
                pdf_sha256=hashlib.sha256(made).hexdigest(),
                size=len(made),
                printed_by=by,
                printed_at=now,
            )
    except IntegrityError as error:
        raise Refused(
            "printed-meanwhile", "Somebody printed this sheet at the same moment: print it again."
        ) from error
    return Printed(made, _file_name(row, about), row)


def _head(site: Site, version: ProtocolVersion, *, by: User, now: datetime, number: int) -> Head:
    at = f"{now.astimezone(ZoneInfo(site.time_zone)):%Y-%m-%d %H:%M:%S} {site.time_zone}"
    return Head(
        trial=site.trial.identifier,
        protocol=version.label,
        site=str(site),
        as_of=at,
        printed_at=at,
        printed_by=str(by),
        number=number,
        software=VERSION,
    )


def _site_of(about: ScopedModel) -> Site:
    if isinstance(about, Site):
        return about
    if isinstance(about, ScheduledScan):
        return about.patient.site
    return about.site


def _version_of(about: ScopedModel) -> ProtocolVersion | None:
    """The version a scan was planned by; of everything else, the one in force at the site."""
    if isinstance(about, ScheduledScan):
        return about.planned_scan.version
    return _site_of(about).version_in_force


def _file_name(row: PrintedSheet, about: ScopedModel) -> str:
    """Trial, what of, which sheet and print: letters, digits and hyphens, no identity."""
    of = str(about.patient) if row.patient_id else f"site-{row.site.code}"
    day = f"{row.printed_at.astimezone(ZoneInfo(row.site.time_zone)):%Y-%m-%d}"
    words = [row.trial.identifier, of, row.get_kind_display(), day, str(row.number)]
    kept = ["".join(c if c.isascii() and c.isalnum() else "-" for c in one) for one in words]
    return "-".join(kept).lower() + ".pdf"


PRESSES: dict[str, Press] = {
    Kind.SCAN_WORKSHEET: Press("injection.record", scan_day.worksheet),
    Kind.BOOKING_SHEET: Press("injection.record", lambda scan, _: scan_day.booking(scan)),
    Kind.SCREENING_LOG: Press("screening_log.view", lambda site, _: screening.log(site)),
    Kind.PRE_VISIT_LIST: Press("monitoring.record", lambda site, _: pre_visit.listed(site)),
    Kind.VISIT_REPORT: Press("monitoring.view", lambda row, _: visit.report(row)),
    Kind.FOLLOW_UP_LETTER: Press("monitoring.view", lambda row, _: visit.letter(row)),
}
