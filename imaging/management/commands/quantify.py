"""SUV of every PET series in a folder: no database, no server, no network."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser, OutputWrapper

from imaging import geometry, series_report, volume
from imaging.selectors import folders
from imaging.suv import Verdict, assess
from imaging.suv_terms import POLICIES
from imaging.terminal_text import printable

REFUSED_ANY, BAD_USE = 3, 2


class Command(BaseCommand):
    help = (
        "Says of every PET series in FOLDER, whatever else lies in it, whether its SUV can be "
        "computed, the factor, the five witnesses of the reference time, and SUV max and mean. "
        "Exit status: 0 if every series was computed, 3 if any was refused or is for review, "
        "2 if FOLDER is no folder or holds no PET series, 130 if interrupted."
    )
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, metavar="FOLDER")
        parser.add_argument("--json", action="store_true", help="a list of objects on stdout")
        parser.add_argument(
            "--policy",
            choices=list(POLICIES),
            default="witnesses",
            help="whose rules decide; ibsi and qiba are there to compare with",
        )

    def handle(self, *, folder: Path, policy: str, **options: Any) -> None:
        _quieten_pydicom()
        if not folder.is_dir():
            self._end(BAD_USE, f"{folder} is not a folder.")
        found, skipped = folders.pet_series(folder)
        reports = [_report(one, policy, skipped) for one in folders.sequence_of(found)]
        if options["json"]:
            # All ASCII: what is no letter there is escaped.
            self.stdout.write(json.dumps(reports, indent=1))
        else:
            self._tell(reports, skipped)
        if not reports:
            self._end(BAD_USE, f"{folder} holds no PET series.")
        if any(one["status"] not in series_report.SURE for one in reports):
            sys.exit(REFUSED_ANY)

    def _tell(self, reports: list[dict], skipped: list[series_report.Skipped]) -> None:
        for one in reports:
            self._say(self.stdout, *series_report.as_text(one), "")
        for left in skipped:
            many = f" and {left.count - 1} more" if left.count > 1 else ""
            self._say(self.stdout, f"skipped {left.file}{many}: {left.reason}")

    def _end(self, status: int, message: str) -> None:
        self._say(self.stderr, message)
        sys.exit(status)

    def _say(self, stream: OutputWrapper, *lines: str) -> None:
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write("\n".join(printable(line, encoding) for line in lines))


def _quieten_pydicom() -> None:
    """It warns of each odd value and quotes it; what matters is in the reasons."""
    warnings.simplefilter("ignore")
    logging.getLogger("pydicom").setLevel(logging.ERROR)


def _report(series: folders.FolderSeries, policy, skipped) -> dict[str, Any]:
    """Verdict on the headers, then on the slices as a volume, then on the pixels."""
    none = series_report.Pixels(None, None)
    try:
        series = folders.in_order_of_planes(series)
        verdict = assess(series.headers, policy=policy)
        pixels = folders.measured(series, verdict.scale) if verdict.scale else none
    except (geometry.GeometryError, volume.VolumeError, folders.PixelsError) as error:
        verdict, pixels = _refused(series, policy, error), none
    return series_report.as_json(series.headers, verdict, pixels, skipped, series.flags)


def _refused(series: folders.FolderSeries, policy, error) -> Verdict:
    """What the headers are refused for comes first: it is the nearer cause."""
    verdict = assess(series.headers, policy=policy)
    if verdict.scale is None:
        return verdict
    return Verdict(
        policy=policy,
        status="REFUSED",
        code=error.code,
        message=str(error),
        witnesses=verdict.witnesses,
    )
