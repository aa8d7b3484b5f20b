"""Whether every stored file is there, is what it was, and is one the record names."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from reporting.services import storage_check


class Command(BaseCommand):
    help = (
        "Compares the stores of images and exports with the record: reads every file and its "
        "SHA-256. Nothing is changed. Exit status: 0 if all is as the record says, 3 if not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print a list of findings as JSON")

    def handle(self, *, json: bool, verbosity: int, **_: Any) -> None:
        say = self.stderr.write if verbosity > 1 else lambda _: None
        findings = list(storage_check.check(say))
        if json:
            self.stdout.write(_as_json(findings))
        else:
            for one in findings:
                self.stdout.write(one.sentence)
            self.stdout.write(f"{len(findings)} findings." if findings else "All as recorded.")
        if findings:
            sys.exit(3)


def _as_json(findings: list[storage_check.Finding]) -> str:
    rows = [{"store": one.store, "kind": one.kind, "name": one.name} for one in findings]
    return json.dumps(rows, indent=2)
