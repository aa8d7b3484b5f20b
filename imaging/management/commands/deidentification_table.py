"""What stays of an image when its patient is taken out, and why: the keep-list, to be read."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from imaging import deidentification_table


class Command(BaseCommand):
    help = (
        "Prints every attribute that de-identification keeps or writes, with what PS3.15 Table "
        "E.1-1 does with it, the option that lets it stay, what becomes of it, and why."
    )
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--markdown", action="store_true", help="as a table in Markdown")

    def handle(self, **options: Any) -> None:
        table = deidentification_table
        self.stdout.write(table.as_markdown() if options["markdown"] else table.as_text())
