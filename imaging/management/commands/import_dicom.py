"""Send folders that lie on the server: as a site's upload, with its rules and its ledger."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q

from imaging import selectors
from imaging.models import ReceivedFile, Transmittal
from imaging.services import folder_import
from imaging.terminal_text import printable
from trials.models import Job, ScheduledScan, User
from trials.services.errors import Refused

State = Transmittal.State
STOPPED = {State.QUARANTINED, State.REJECTED}
NOT_ALL = 3
POLL_SECONDS = 0.5
# A reason that holds for a whole series needs no more names than these.
MOST_NAMES = 20


class Command(BaseCommand):
    help = (
        "Sends every file below each FOLDER, zips among them, as the images of one scheduled scan. "
        "Sent again, only what is new goes. With --wait it says what became of each file. Exit "
        "status: 0 if all went well, 3 if a file was refused or held, or could not be sent."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
        parser.add_argument("--trial", required=True, help="identifier of the trial")
        parser.add_argument("--site", required=True, help="code of the site")
        parser.add_argument("--patient", required=True, help="number of the patient")
        parser.add_argument("--visit", required=True, help="identifier of the visit or the scan")
        parser.add_argument("--as", required=True, dest="username", help="who sends: a user name")
        parser.add_argument(
            "--deidentified-at-source",
            action="store_true",
            help="identities and dates were taken out before: they are not checkable here",
        )
        parser.add_argument("--wait", action="store_true", help="until the images are measured")

    def handle(self, *, folders: list[Path], wait: bool, **options: Any) -> None:
        for folder in folders:
            if not folder.is_dir():
                raise CommandError(f"{folder} is not a folder.")
        folders = [folder.absolute() for folder in folders]
        # Files are named from here on.
        base = Path(os.path.commonpath(folders))
        by = User.objects.filter(username=options["username"], is_active=True).first()
        if by is None:
            raise CommandError(f"There is no user {options['username']!r}.")
        scan = _scan(**{name: options[name] for name in ("trial", "site", "patient", "visit")})
        found = folder_import.look_into(folders, self._say)
        for path, reason in found.skipped:
            self._say(f"not sent: {path.relative_to(base)}: {reason}")
        if not found.by_digest:
            raise CommandError(f"{base} holds no file that can be sent.")
        try:
            transmittal, is_new = folder_import.send(
                found,
                scan,
                by=by,
                say=self._say,
                is_deidentified_at_source=options["deidentified_at_source"],
            )
        except Refused as error:
            raise CommandError(error.message) from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}. Run it again.") from error
        arrived = "arrived" if is_new else "arrived before"
        self._say(f"Transmittal {transmittal.pk}: all {len(found.by_digest)} files {arrived}.")
        went_well = not wait or self._watch(transmittal, found, base)
        if found.skipped or not went_well:
            sys.exit(NOT_ALL)

    def _watch(self, transmittal: Transmittal, found: folder_import.Found, base: Path) -> bool:
        """Say how far the images come until nothing moves any more; whether all went well."""
        told = ""
        while True:
            transmittal.refresh_from_db()
            job = selectors.newest_job(transmittal)
            now = f"{transmittal.get_state_display()}. {job.progress if job else ''}".strip()
            if now != told:
                self._say(told := now)
            if _is_settled(transmittal, job):
                break
            time.sleep(POLL_SECONDS)
        if transmittal.message:
            self._say(transmittal.message)
        refusals = selectors.refusals(transmittal)
        for one in refusals:
            self._say(f"{one.state.label}: {one.message}")
            paths = (found.by_digest.get(digest, Path(digest)) for digest in one.digests)
            names = sorted(str(path).removeprefix(f"{base}/") for path in paths)
            for name in names[:MOST_NAMES]:
                self._say(f"  {name}")
            if len(names) > MOST_NAMES:
                self._say(f"  and {len(names) - MOST_NAMES} more")
        given_up = job is not None and job.state == Job.State.PARKED
        # Of an archive it is told what was taken out: no refusal.
        are_well = all(one.state == ReceivedFile.State.UNPACKED for one in refusals)
        return are_well and not given_up and transmittal.state not in STOPPED

    def _say(self, line: str) -> None:
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        self.stdout.write(printable(line, encoding))


def _is_settled(transmittal: Transmittal, job: Job | None) -> bool:
    if transmittal.state in STOPPED or (job and job.state == Job.State.PARKED):
        return True
    at_work = job is not None and job.state in {Job.State.QUEUED, Job.State.RUNNING}
    return transmittal.state in {State.ASSEMBLED, State.QUANTIFIED} and not at_work


def _scan(*, trial: str, site: str, patient: str, visit: str) -> ScheduledScan:
    """The one scan that is meant; otherwise CommandError with those there are."""
    rows = (
        ScheduledScan.objects.exclude(state=ScheduledScan.State.CANCELLED)
        .filter(
            patient__trial__identifier=trial,
            patient__site__code=site,
            patient__identifier=patient,
        )
        .select_related("patient__site", "patient__trial", "planned_scan__visit")
    )
    meant = rows.filter(
        Q(planned_scan__identifier=visit) | Q(planned_scan__visit__identifier=visit)
    )
    found = list(meant[:2])
    if len(found) == 1:
        return found[0]
    there = ", ".join(sorted({one.planned_scan.identifier for one in (found or rows)}))
    raise CommandError(
        f"{visit!r} is more than one scan of {patient}: name the scan, of {there}."
        if found
        else f"No scan {visit!r} is scheduled for patient {patient!r} of site {site!r} in trial "
        f"{trial!r}; scheduled there: {there or 'none'}."
    )
