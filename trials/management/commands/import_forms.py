"""Enter form values out of files: `import_forms TRIAL FILE … --form FORM --as USER`."""

from __future__ import annotations

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trials import import_layouts
from trials.import_rows import DATE_ORDERS
from trials.models import FormImport, Trial, User
from trials.services import form_import_plans, form_imports
from trials.services.errors import Refused


class Command(BaseCommand):
    help = (
        "Enters values of forms out of CSV files, each whole or not at all; with --dry-run it "
        "only says what they would do. A file is called as its form unless --form says which."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("trial", metavar="TRIAL", help="identifier, as NCT06125028")
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--as", dest="username", required=True, help="a data manager")
        parser.add_argument("--form", default="")
        parser.add_argument("--source", default="files of the server")
        parser.add_argument("--import-id", default="", help="the name of the file without it")
        parser.add_argument("--reason", default="", help="needed where values change")
        parser.add_argument("--dry-run", action="store_true")
        parser.add_argument("--layout", choices=list(import_layouts.KINDS), default="table")
        parser.add_argument("--patient-column", default="")
        parser.add_argument("--visits", default="", help="as visit_1_arm_1=PET1,…")
        parser.add_argument("--dates", dest="date_order", choices=list(DATE_ORDERS), default="iso")
        parser.add_argument("--decimal-comma", action="store_true")
        parser.add_argument("--missing", default="", help='as "-99=NK,-98=ND: not done"')
        parser.add_argument("--emptied", default="", help="mark that empties an answer, as <empty>")

    def handle(self, *_args, trial: str, files: list[Path], username: str, **options) -> None:
        row = Trial.objects.filter(identifier=trial).first()
        by = User.objects.filter(username=username, is_active=True).first()
        if row is None or by is None:
            raise CommandError(f"There is no {'trial ' + trial if row is None else username}.")
        for file in files:
            try:
                self._one(row, file, by, options)
            except OSError as error:
                raise CommandError(f"{file}: {error}") from error
            except Refused as refusal:
                raise CommandError(f"{file}: {refusal.message}") from refusal

    def _one(self, trial: Trial, file: Path, by: User, options: dict) -> None:
        found = form_imports.receive(
            trial,
            form=options["form"] or file.stem.removeprefix("form_"),
            content=file.read_bytes(),
            file_name=file.name,
            source=options["source"],
            import_id=options["import_id"] or file.name,
            by=by,
            reading={key: options[key] for key in form_imports.READING},
            at_once=True,
        )
        if found.state == FormImport.State.DONE:
            self.stdout.write(f"{file}: entered before, as import {found.pk}. Nothing new.")
            return
        self._show(file, found)
        if found.state == FormImport.State.REFUSED:
            raise CommandError(f"{file}: {found.message}")
        if options["dry_run"]:
            return
        form_imports.confirm(
            found, digest=found.plan_sha256, reason=options["reason"], by=by, at_once=True
        )
        self.stdout.write(f"{file}: entered as import {found.pk}.")

    def _show(self, file: Path, row: FormImport) -> None:
        for note in row.plan.get("notes", ()):
            self.stdout.write(f"{file}: {note}")
        for one in row.plan.get("rows", ()):
            where = f"{file}:{one['line']}: {one['patient']} {one['visit']}".rstrip()
            for error in one.get("errors", ()):
                self.stdout.write(f"{where} {error['column']}: {error['message']}")
            if one["act"] == form_import_plans.CHANGED:
                for change in one["changes"]:
                    before = change["before"] or "empty"
                    self.stdout.write(f"{where} {change['item']}: {before} → {change['after']}")
        told = ", ".join(f"{count} {act}" for act, count in row.counts.items())
        self.stdout.write(f"{file}: {told or 'refused'}.")
