"""Exports: ordered with a reason, frozen at one instant, kept by digest, never changed."""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from imaging.storage import StorageError, UnreachableError
from reporting import csvtext, profiles, storage
from reporting.csvtext import CellError
from reporting.datasets import DATASETS, Column, Dataset, Privacy, Type
from reporting.datasets.case_report_forms import FormTable
from reporting.datasets.populations import POPULATIONS
from reporting.differences import Difference, between, lines
from reporting.formats import CHOICES, FORMATS, PACKAGES, About, Package
from reporting.manifest import File, Manifest
from reporting.models import Export, ExportDownload
from reporting.profiles import Plan, Profile, Secrets, Touched
from reporting.sdtm.model import MappingError
from reporting.selectors import form_rows, population_rows, rows
from reporting.services import bundle, rebuilding, snapshots, standards
from reporting.services.rebuilding import Compared
from trials import permissions
from trials.models import Trial, User
from trials.roles import SCOPES
from trials.services import audit, jobs
from trials.services.errors import Invalid, Refused
from trials.version import VERSION

CHUNK_BYTES = 2**20
LONGEST_REASON = Export._meta.get_field("reason").max_length

State = Export.State
DIFFERENCE_COLUMNS = tuple(
    Column(name, name, Type.TEXT, Privacy.TECHNICAL)
    for name in ("dataset", "key", "change", "column", "before", "after")
)


@dataclass(frozen=True)
class Frozen:
    """An export on disk, before the record knows it."""

    manifest: Manifest
    sha256: str
    size: int


def request(
    trial: Trial,
    *,
    reason: str,
    by: User,
    formats: Collection[str] = (),
    privacy: str = Profile.FULL,
) -> Export:
    """Order an export of the whole trial; the role must be held at all its sites.

    CSV is always in it, and what `formats` names of reporting.formats.CHOICES; `privacy` names a
    profile of reporting.profiles.
    """
    chosen = [name for name in CHOICES if name in formats]
    export = Export(
        trial=trial, reason=reason.strip(), requested_by=by, formats=chosen, privacy=privacy
    )
    permissions.require(by, "export.create", export)
    _check_reason(reason)
    _check_profile(privacy)
    _check_formats(formats, privacy)
    with audit.action("export.requested", actor=by, reason=export.reason, trial=trial.pk):
        export.save()
        export.job = jobs.enqueue("reporting.freeze", actor=by, on=trial, export=export.pk).pk
        export.save(update_fields=["job"])
    return export


def freeze(claim: jobs.Claim) -> None:
    """Read everything at one instant, keep it, and say so; done twice, it is frozen once."""
    export = Export.objects.select_related("trial", "requested_by").get(
        pk=claim.arguments["export"]
    )
    if export.state != State.REQUESTED:
        return _nothing_to_do(claim)
    try:
        frozen = _frozen(export)
    except CellError as error:
        return _fail(claim, export, f"A value can't be written: {error}. Correct it.")
    except MappingError as error:
        return _fail(claim, export, f"SDTM can't be made: {error}.")
    except profiles.UntaggedError as error:
        return _fail(claim, export, f"Nothing leaves: {error}.")
    with jobs.fenced(claim), _acting("export.frozen", export):
        export.state = State.FROZEN
        export.as_of = frozen.manifest.as_of
        export.audit_event = frozen.manifest.audit_event
        export.manifest = frozen.manifest.to_json()
        export.sha256, export.size = frozen.sha256, frozen.size
        export.save()
    return None


def download(export: Export, *, by: User) -> bytes:
    """The bytes of a frozen export, if they still are what was frozen. Who took them is kept."""
    content = _content(export, by=by)
    with audit.action("export.downloaded", actor=by, reason=export.reason, trial=export.trial_id):
        ExportDownload.objects.create(export=export, by=by)
    return content


def differences(newer: Export, older: Export, *, by: User) -> list[Difference]:
    """The datasets in which two frozen exports of one trial differ, with keys and values."""
    if newer.trial_id != older.trial_id:
        raise Refused("other-trial", "Only exports of one trial can be compared.")
    if older.pk > newer.pk:
        raise Refused(
            "not-earlier", f"Export {older.pk} is the later one: compare it with {newer.pk}."
        )
    contents = [_content(one, by=by) for one in (older, newer)]
    if newer.sha256 == older.sha256:
        return []
    before, after = (zipfile.ZipFile(io.BytesIO(content)) for content in contents)
    return list(between(before, after))


def differences_file(newer: Export, older: Export, *, by: User) -> bytes:
    """A CSV of everything that differs. It holds data of both, so both count as downloaded."""
    found = differences(newer, older, by=by)
    with audit.action("export.compared", actor=by, reason=newer.reason, trial=newer.trial_id):
        for one in dict.fromkeys((older, newer)):
            ExportDownload.objects.create(export=one, by=by)
    return b"".join(csvtext.lines(DIFFERENCE_COLUMNS, lines(found)))


def stored(export: Export, *, by: User) -> Path:
    """The file of a frozen export, if its bytes still are what was frozen."""
    with _given(export, by=by):
        return _checked(storage.exports.path(export.sha256), export.sha256)


def _content(export: Export, *, by: User) -> bytes:
    """The bytes of a frozen export, if they still are what was frozen."""
    with _given(export, by=by):
        return storage.exports.read(export.sha256)


@contextmanager
def _given(export: Export, *, by: User) -> Iterator[None]:
    """Where a user who may is given what was frozen, or told why not."""
    permissions.require(by, "export.view", export)
    _require_in_scope(export, by)
    if export.state != State.FROZEN:
        raise Refused(
            "not-frozen", f"This export is {export.get_state_display().lower()}: no file is there."
        )
    try:
        yield
    except UnreachableError:
        # It is not lost: a new one would not be written either.
        raise
    except StorageError as error:
        raise Refused(
            "export-lost", f"The file of this export can't be given: {error}. Order a new one."
        ) from error


def _require_in_scope(export: Export, by: User) -> None:
    """A token that opens no blinding opens no export that breaks one; its manifest says so."""
    if not export.manifest.get("is_unblinded") or not by.token_scope:
        return
    if not SCOPES[by.token_scope].is_unblinded:
        raise Refused(
            "token-scope",
            f"This export breaks a blinding, and this token has the scope {by.token_scope}. Log in "
            "for one of export:unblinded.",
            status=403,
        )


def _checked(path: Path, sha256: str) -> Path:
    try:
        found = path.stat()
    except FileNotFoundError as error:
        raise StorageError(f"exports has lost {sha256[:12]}") from error
    if _digest(path, found.st_mtime_ns, found.st_size, found.st_ino) != sha256:
        raise StorageError(f"exports: {sha256[:12]} is not what was stored")
    return path


@lru_cache(maxsize=256)
def _digest(path: Path, *_state: int) -> str:
    """SHA-256 of a file in the state it is in: a download in parts reads it once for all."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def frozen_rows(export: Export, names: Collection[str], *, by: User) -> dict[str, list[dict]]:
    """Rows of datasets of a frozen export, by name; one that it lacks is not in the answer."""
    with zipfile.ZipFile(io.BytesIO(_content(export, by=by))) as bundled:
        there = set(bundled.namelist())
        return {
            name: list(csvtext.read(DATASETS.get(name), bundled.read(f"data/{name}.csv")))
            for name in names
            if f"data/{name}.csv" in there
        }


def file_name(export: Export) -> str:
    return f"{export.trial.identifier}-export-{export.pk}.zip"


def rebuilt(export: Export, *, by: User) -> list[Compared]:
    """Each file of a frozen export beside the same file made once more from the audit trail.

    Raises
    ------
    Refused
        When the export is not there, or the trail can't tell what it read.
    """
    permissions.require(by, "export.create", export)
    was = _content(export, by=by)
    if export.as_of is None:
        raise Refused("not-frozen", "This export names no instant.")
    instant = snapshots.Instant(export.as_of, export.audit_event, export.manifest["snapshot"])
    with tempfile.TemporaryFile() as file:
        with rebuilding.as_it_stood(instant):
            then = Export.objects.select_related("trial", "requested_by").get(pk=export.pk)
            _write(file, then, instant)
        return rebuilding.compared(was, file)


def _frozen(export: Export) -> Frozen:
    """The bundle of this instant, in the store."""
    with tempfile.TemporaryFile() as file:
        with snapshots.taken() as instant:
            manifest = _write(file, export, instant)
        file.seek(0)
        sha256, size = storage.exports.write(iter(lambda: file.read(CHUNK_BYTES), b""))
    return Frozen(manifest, sha256, size)


def _write(file: IO[bytes], export: Export, instant: snapshots.Instant) -> Manifest:
    """Write the bundle of an instant, inside the transaction that sees it."""
    forms, about = form_rows.tables(export.trial), _about(export, instant)
    every = {
        **DATASETS,
        POPULATIONS.name: POPULATIONS,
        **{name: one.dataset for name, one in forms.items()},
    }
    plans = {name: profiles.plan(Profile(export.privacy), one) for name, one in every.items()}
    # Without what leaves under no profile.
    held = {name: replace(one, dataset=plans[name].dataset) for name, one in forms.items()}
    touched = tuple(one for name in sorted(plans) for one in plans[name].touched)
    return bundle.write(
        file,
        datasets={name: one.dataset for name, one in plans.items()},
        rows=lambda dataset: _masked(plans[dataset.name], forms, export.trial, instant),
        formats=[FORMATS[name] for name in export.formats if name in FORMATS],
        about=about,
        packages=[PACKAGES[name] for name in export.formats if name in PACKAGES],
        add_package=lambda target, one: _add_package(target, one, export, held, about),
        described=lambda files: _manifest(export, instant, files, touched),
        standards=lambda name: standards.made(name, export.trial, instant.as_of),
    )


def _add_package(
    target: bundle.Bundle,
    package: Package,
    export: Export,
    forms: dict[str, FormTable],
    about: About,
) -> None:
    """Have the service of a package write its files; what it can't write stops the export."""
    try:
        import_module(package.service).add(target, export.trial, forms, about)
    except ValueError as error:
        raise CellError(f"{package.label}: {error}") from error


def _rows(dataset: Dataset, forms: dict[str, FormTable], trial: Trial) -> Iterator[list[Any]]:
    if dataset.name in forms:
        return form_rows.of(forms[dataset.name], trial)
    if dataset.name == POPULATIONS.name:
        return population_rows.of(trial)
    return rows.of(dataset, trial)


def _masked(
    plan: Plan, forms: dict[str, FormTable], trial: Trial, instant: snapshots.Instant
) -> Iterator[Sequence[Any]]:
    """The rows of a dataset as the export's privacy profile lets them leave."""
    secrets = Secrets(bytes(trial.uid_key), instant.as_of.year)
    return plan.rows(_rows(plan.original, forms, trial), secrets)


def _about(export: Export, instant: snapshots.Instant) -> About:
    return About(
        study=export.trial.identifier,
        export=export.pk,
        as_of=instant.as_of,
        software=VERSION,
    )


def _manifest(
    export: Export,
    instant: snapshots.Instant,
    files: tuple[File, ...],
    touched: tuple[Touched, ...],
) -> Manifest:
    version = export.trial.newest_version
    return Manifest(
        export=export.pk,
        trial=export.trial.identifier,
        is_demo=export.trial.is_demo,
        protocol_version=version.label if version else "",
        protocol_sha256=version.definition_sha256 if version else "",
        as_of=instant.as_of,
        audit_event=instant.audit_event,
        snapshot=instant.snapshot,
        software_version=VERSION,
        requested_by=export.requested_by.username,
        requested_at=export.requested_at,
        reason=export.reason,
        formats=("csv", *export.formats),
        privacy=export.privacy,
        touched=touched,
        files=files,
    )


def _fail(claim: jobs.Claim, export: Export, message: str) -> None:
    with jobs.fenced(claim), _acting("export.failed", export):
        export.state, export.message = State.FAILED, message
        export.save(update_fields=["state", "message"])


def _acting(name: str, export: Export):
    """The frame in which the system says what became of an export."""
    return audit.action(name, actor=jobs.system_user(), reason=export.reason, trial=export.trial_id)


def _nothing_to_do(claim: jobs.Claim) -> None:
    with jobs.fenced(claim):
        pass


def _check_formats(formats: Collection[str], privacy: str) -> None:
    unknown = sorted(set(formats) - set(CHOICES))
    if unknown:
        known = ", ".join(CHOICES)
        raise Invalid("formats", f"No format is called {', '.join(unknown)}; there are {known}.")
    # They are made of the record, not of what a profile lets of it.
    whole = [name for name in CHOICES if name in formats and is_of_whole_record(name)]
    if whole and privacy != Profile.FULL:
        raise Invalid(
            "formats",
            f"{', '.join(CHOICES[name].label for name in whole)}: made of the whole record, with "
            f"dates and sites. Choose the profile {Profile.FULL}, or leave the format out.",
        )


def is_of_whole_record(name: str) -> bool:
    """Whether a format holds what no privacy profile masks."""
    return name in PACKAGES or bool(FORMATS[name].standard)


def _check_profile(privacy: str) -> None:
    if privacy not in list(Profile):
        known = ", ".join(Profile)
        raise Invalid("privacy", f"No privacy profile is called {privacy}; there are {known}.")


def _check_reason(reason: str) -> None:
    if len(reason.strip(" .-")) < 3:
        raise Invalid("reason", "Say what the export is for, in a few words.")
    if len(reason.strip()) > LONGEST_REASON:
        raise Invalid("reason", f"{LONGEST_REASON} characters at most.")
