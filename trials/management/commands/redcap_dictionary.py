"""Draft forms for a trial file from a REDCap data dictionary: `redcap_dictionary FILE`."""

from __future__ import annotations

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trials import redcap_dictionary
from trials.import_tables import TableError


class Command(BaseCommand):
    help = (
        "Writes the forms of a REDCap data dictionary (CSV) as the part `forms` of a trial file, "
        "with what could not be carried over as comments above it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--output", type=Path, help="a file; the terminal without it")

    def handle(self, *_args, file: Path, output: Path | None = None, **_options) -> None:
        try:
            text = redcap_dictionary.yaml_text(file.read_bytes())
        except OSError as error:
            raise CommandError(f"{file}: {error}") from error
        except (TableError, redcap_dictionary.DictionaryError) as error:
            raise CommandError(f"{file}: {error}") from error
        if output:
            output.write_text(text, encoding="utf-8")
        else:
            self.stdout.write(text, ending="")
