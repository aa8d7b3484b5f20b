"""Load trial files: `load_trial FILE … [--dry-run]`."""

from __future__ import annotations

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from trials import protocol, trial_yaml
from trials.services import jobs, protocols
from trials.services.errors import Refused


class Command(BaseCommand):
    help = "Load trial files, or with --dry-run only say what they would change."

    def add_arguments(self, parser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--dry-run", action="store_true")

    def handle(self, *_args, files: list[Path], dry_run: bool, **_options) -> None:
        for file in files:
            try:
                text = trial_yaml.decoded(file.read_bytes())
                loaded = protocols.load_trial(text, by=jobs.system_user(), dry_run=dry_run)
            except OSError as error:
                raise CommandError(f"{file}: {error}") from error
            except trial_yaml.TrialYamlError as error:
                raise CommandError(f"{file}:{error.line}: {error.message}") from error
            except protocols.NotATrialFile as error:
                found = (f"{file}:{_told(one)}" for one in error.problems)
                raise CommandError("\n".join([f"Nothing of {file} is loaded.", *found])) from error
            except Refused as error:
                raise CommandError(f"{file}: {error.message}") from error
            self._show(file, loaded, dry_run=dry_run)

    def _show(self, file: Path, loaded: protocols.Loaded, *, dry_run: bool) -> None:
        if not loaded.changes:
            self.stdout.write(f"{file}: nothing changed.")
            return
        number = loaded.version.number if loaded.version else 1
        done = "would change" if dry_run else f"loaded as version {number}"
        self.stdout.write(f"{file}: {done}.")
        for change in loaded.changes:
            self.stdout.write(f"  {change}")


def _told(problem: protocol.Problem) -> str:
    """As compilers do: the line first, so that an editor jumps to it."""
    place = f"{problem.place}: " if problem.place else ""
    return f"{problem.line}: {place}{problem.message}"
