"""Give a trial's definition back: as the file that was loaded, or as CDISC USDM."""

from __future__ import annotations

import json
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trials import protocol, usdm
from trials.models import ProtocolVersion, Trial
from trials.services import protocols
from trials.version import VERSION


class Command(BaseCommand):
    help = "Writes the trial file of TRIAL, or with --usdm its definition as CDISC USDM v4 JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("trial", metavar="TRIAL", help="identifier, as NCT06125028")
        parser.add_argument("--number", type=int, help="of the version; the newest without it")
        parser.add_argument("--usdm", action="store_true", help="CDISC USDM v4 JSON instead")
        parser.add_argument("--output", type=Path, help="a file; the terminal without it")

    def handle(self, *_args, trial, number=None, output=None, **options) -> None:
        version = self._version(trial, number)
        text = self._usdm(version) if options["usdm"] else protocols.export(version)
        if output:
            output.write_text(text, encoding="utf-8")
        else:
            self.stdout.write(text, ending="")

    def _version(self, identifier: str, number: int | None) -> ProtocolVersion:
        trial = Trial.objects.filter(identifier=identifier).first()
        if trial is None:
            known = ", ".join(Trial.objects.values_list("identifier", flat=True)) or "none"
            raise CommandError(f"There is no trial {identifier}; known are {known}.")
        found = trial.versions.filter(number=number).first() if number else trial.newest_version
        if found is None:
            raise CommandError(f"{trial} has no version {number or ''}".rstrip() + ".")
        return found

    def _usdm(self, version: ProtocolVersion) -> str:
        definition = protocol.completed(version.definition, version.trial.identifier)
        study = usdm.usdm(definition, version=version.label, system_version=VERSION)
        return json.dumps(study, indent=2, ensure_ascii=False) + "\n"
