"""The bundle of an export as it is written: what of the record leaves, and what is said of it."""

from __future__ import annotations

import tempfile
import zipfile
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.conf import settings

from reporting import profiles, provenance, signing, storage
from reporting.blinding import Blinding, Veil
from reporting.csvtext import CellError
from reporting.cut_off import OF_WHOLE_RECORD, RULE, CutOff, event_of
from reporting.datasets import DATASETS, Dataset
from reporting.datasets.case_report_forms import FormTable
from reporting.datasets.populations import POPULATIONS
from reporting.datasets.tells import TELLS
from reporting.formats import CHOICES, FORMATS, PACKAGES, About, Package
from reporting.manifest import SUMS_PATH, CutOffOf, File, Manifest, Unblinding, moment, schemas
from reporting.models import Export
from reporting.profiles import Plan, Profile, Secrets, Touched
from reporting.progress import Told
from reporting.sdtm.terms import GUIDE, TERMINOLOGY
from reporting.selectors import blinding, form_rows, population_rows, rows, standing
from reporting.services import bundle, points, snapshots, standards
from trials.models import Trial
from trials.version import VERSION

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class Frozen:
    """An export on disk, before the record knows it."""

    manifest: Manifest
    sha256: str
    size: int
    # As base64, and the fingerprint of its key; both empty without a key.
    signature: str = ""
    signing_key_sha256: str = ""


def frozen(export: Export, tell: Told) -> Frozen:
    """The bundle of this instant, or of an earlier point, in the store.

    Raises
    ------
    SigningKeyError
        When a key is named to sign it with, and can't be.
    """
    # Before the work, which may take minutes.
    path = settings.EXPORT_SIGNING_KEY
    key = signing.key(path) if path else None
    looked = snapshots.taken()
    if export.point:
        export.point["today"] = points.held_today(export)
        looked = points.read_back(export, points.instant(export))
    with tempfile.TemporaryFile() as file:
        with looked as instant:
            manifest = write(file, export, instant, made_by(), tell)
        signed = _signed(file, key) if key else ("", "")
        file.seek(0)
        sha256, size = storage.exports.write(iter(lambda: file.read(CHUNK_BYTES), b""))
    return Frozen(manifest, sha256, size, *signed)


def _signed(file: IO[bytes], key: Ed25519PrivateKey) -> tuple[str, str]:
    """The signature of the digests in a bundle, and the fingerprint of its key."""
    with zipfile.ZipFile(file) as archive:
        signature = key.sign(archive.read(SUMS_PATH))
    return b64encode(signature).decode(), signing.fingerprint(key)


def write(
    file: IO[bytes],
    export: Export,
    instant: snapshots.Instant,
    made_by: Mapping[str, Any],
    tell: Told,
) -> Manifest:
    """Write the bundle of an instant, inside the transaction that sees it."""
    forms, about = form_rows.tables(export.trial), _about(export, instant)
    every = {
        **DATASETS,
        POPULATIONS.name: POPULATIONS,
        **{name: one.dataset for name, one in forms.items()},
    }
    if export.cut_off is not None:
        every = {name: one for name, one in every.items() if name not in OF_WHOLE_RECORD}
    kept = points.kept(export, blinding.of(export.trial, is_unblinded=export.is_unblinded))
    if told := tells_concealed(export, kept):
        raise CellError(told)
    tells = {**TELLS, **{name: one.tells for name, one in forms.items()}}
    cut = _cut_off(export)
    veils = {name: kept.veil(one, tells.get(name, {})) for name, one in every.items()}
    plans = {
        name: profiles.plan(Profile(export.privacy), one.dataset) for name, one in veils.items()
    }
    # Without what leaves under no profile.
    held = {name: replace(one, dataset=plans[name].dataset) for name, one in forms.items()}
    touched = tuple(one for name in sorted(plans) for one in plans[name].touched)
    with standards.Standards(export.trial, about, kept) as of_standards:
        return bundle.write(
            file,
            datasets={name: one.dataset for name, one in plans.items()},
            rows=lambda dataset: _masked(
                veils[dataset.name], plans[dataset.name], forms, export.trial, instant, cut
            ),
            formats=[FORMATS[name] for name in export.formats if name in FORMATS],
            about=about,
            packages=[PACKAGES[name] for name in export.formats if name in PACKAGES],
            add_package=lambda target, one: _add_package(target, one, export, held, about, kept),
            described=lambda files: _manifest(
                export, instant, files, touched, kept, veils, cut, plans, made_by
            ),
            standards=of_standards.made,
            tell=tell,
        )


def made_by() -> dict[str, Any]:
    """What the manifest says of the code."""
    return {"code_commit": provenance.commit(), "tools": provenance.tools()}


def _add_package(
    target: bundle.Bundle,
    package: Package,
    export: Export,
    forms: dict[str, FormTable],
    about: About,
    kept: Blinding,
) -> None:
    """Have the service of a package write its files; what it can't write stops the export."""
    try:
        import_module(package.service).add(target, export.trial, forms, about, kept)
    except ValueError as error:
        raise CellError(f"{package.label}: {error}") from error


def _rows(
    dataset: Dataset,
    forms: dict[str, FormTable],
    trial: Trial,
    cut: CutOff | None,
    *,
    is_unblinded: bool,
) -> Iterator[list[Any]]:
    if dataset.name in forms:
        return form_rows.of(forms[dataset.name], trial)
    if dataset.name == POPULATIONS.name:
        return population_rows.of(trial)
    return rows.of(dataset, trial, is_unblinded=is_unblinded, ends=cut and cut.ends)


def _masked(
    veil: Veil,
    plan: Plan,
    forms: dict[str, FormTable],
    trial: Trial,
    instant: snapshots.Instant,
    cut: CutOff | None,
) -> Iterator[Sequence[Any]]:
    """The rows of a dataset as cut-off, blinding and privacy profile let them leave."""
    secrets = Secrets(bytes(trial.uid_key), instant.as_of.year)
    dataset = veil.original
    found: Iterator[Sequence[Any]] = _rows(
        dataset, forms, trial, cut, is_unblinded=veil.blinding.is_unblinded
    )
    if cut is not None:
        found = cut.rows(dataset, event_of(dataset, is_form=dataset.name in forms), found)
    return plan.rows(veil.rows(found), secrets)


def _cut_off(export: Export) -> CutOff | None:
    """The cut-off of an export, which knows the patients and scans that came after it."""
    if export.cut_off is None:
        return None
    trial = export.trial
    zones = {code: ZoneInfo(name) for code, name in trial.sites.values_list("code", "time_zone")}
    cut = CutOff(export.cut_off, zones)
    patients, scans = DATASETS["patients"], DATASETS["scans"]
    for dataset, name, gone in (
        (patients, "usubjid", cut.patients),
        (scans, "scan", cut.scans),
    ):
        place = dataset.column_names.index(name)
        every = {row[place] for row in rows.of(dataset, trial)}
        stay = cut.rows(dataset, event_of(dataset), rows.of(dataset, trial))
        gone |= every - {row[place] for row in stay}
    cut.counts.clear()
    return cut


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
    kept: Blinding,
    veils: Mapping[str, Veil],
    cut: CutOff | None,
    plans: Mapping[str, Plan],
    made_by: Mapping[str, Any],
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
        is_unblinded=export.is_unblinded,
        unblinding=_unblinding(export),
        is_read_back=bool(export.point),
        blind_because=() if export.is_unblinded else kept.why,
        veiled=tuple(one for name in sorted(veils) for one in veils[name].veiled),
        cut_off=cut and CutOffOf(cut.day.isoformat(), RULE, tuple(cut.in_order)),
        open_queries=standing.open_queries(export.trial),
        unsigned_forms=standing.unsigned_forms(export.trial),
        form_versions=standing.form_versions(export.trial),
        mappings={
            "datasets": schemas(one.dataset for one in plans.values()),
            "SDTMIG": GUIDE,
            "SDTM terminology": TERMINOLOGY,
        },
        code_commit=made_by["code_commit"],
        # The database keeps no order of names.
        tools=dict(sorted(made_by["tools"].items())),
        files=files,
    )


def _unblinding(export: Export) -> Unblinding | None:
    if export.decided_by is None or export.decided_at is None:
        return None
    return Unblinding(
        reason=export.unblinding_reason,
        decided_by=export.decided_by.username,
        decided_at=moment(export.decided_at),
        decision_reason=export.decision_reason,
    )


def tells_concealed(export: Export, kept: Blinding) -> str:
    """Why formats of an export can't keep back what the trial conceals; empty if they can."""
    if export.is_unblinded or not kept.concealed:
        return ""
    whole = [CHOICES[name].label for name in export.formats if is_of_whole_record(name)]
    if not whole:
        return ""
    return (
        f"{', '.join(whole)}: the allocation of this trial is concealed, and this format tells it "
        "by its doses and dates. Leave it out, or order an unblinded export."
    )


def is_of_whole_record(name: str) -> bool:
    """Whether a format holds what no privacy profile masks."""
    return name in PACKAGES or bool(FORMATS[name].standard)
