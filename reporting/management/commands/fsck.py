"""Whether every stored file is there, is what it was, and is one the record names."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from imaging.storage import StorageError
from reporting.services import storage_check

QUICK = "Names and sizes alone are compared: a changed byte is found only without --quick."


class Command(BaseCommand):
    help = (
        "Compares the stores of images and exports with the record: reads every file and its "
        "SHA-256. Nothing is changed. Exit status: 0 if all is as the record says, 3 if not, "
        "1 if a store could not be looked through."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print a list of findings as JSON")
        parser.add_argument(
            "--quick",
            action="store_true",
            help="compare names and sizes and read no file: no flipped bit is found",
        )

    def handle(self, *, json: bool, quick: bool, verbosity: int, **_: Any) -> None:
        say = self.stderr.write if verbosity > 1 else lambda _: None
        if quick:
            self.stderr.write(QUICK)
        try:
            findings = list(storage_check.check(say, is_quick=quick))
        except StorageError as error:
            raise CommandError(f"Not looked through: {error}") from error
        if json:
            self.stdout.write(_as_json(findings))
        else:
            for one in findings:
                self.stdout.write(one.sentence)
            self.stdout.write(f"{len(findings)} findings." if findings else _all_well(quick))
        if findings:
            sys.exit(3)


def _all_well(is_quick: bool) -> str:
    return "Names and sizes as recorded; no file was read." if is_quick else "All as recorded."


def _as_json(findings: list[storage_check.Finding]) -> str:
    rows = [{"store": one.store, "kind": one.kind, "name": one.name} for one in findings]
    return json.dumps(rows, indent=2)
