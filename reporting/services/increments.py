"""Changes since an earlier export as files: what came, what changed, and what is not there now."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from contextlib import AbstractContextManager
from typing import Any

from django.http import Http404

from reporting import changes, codebook, manifest
from reporting.changes import Changes
from reporting.models import Export
from reporting.services import bundle, opening
from trials.models import User
from trials.services.errors import Refused

FORMAT = "trialtrace-changes/1"
LIST = "changes.json"


def since(newer: Export, older: Export, *, by: User) -> list[Changes]:
    """The datasets that changed from one frozen export to a later one, with their lines."""
    with _opened(newer, older, by=by) as (before, after):
        return list(changes.between(before, after))


def one_file(newer: Export, older: Export, name: str, *, by: User) -> bytes:
    """The changes of one dataset, a header alone where it is the same; 404 where none has it."""
    with _opened(newer, older, by=by) as (before, after):
        try:
            content = changes.of(name, before, after).content
        except KeyError as error:
            raise Http404 from error
    opening.compared_by(newer, older, by=by)
    return content


def all_files(newer: Export, older: Export, *, by: User) -> bytes:
    """A zip of all changes with the list of them, the newer codebook, and how to apply them."""
    with _opened(newer, older, by=by) as (before, after):
        found, described = list(changes.between(before, after)), after.read(codebook.PATH)
    opening.compared_by(newer, older, by=by)
    told = json.dumps(_told(newer, older, found), indent=2, ensure_ascii=False) + "\n"
    files = {
        "README.md": changes.HOW_TO_APPLY.encode(),
        LIST: told.encode(),
        codebook.PATH: described,
        **{one.path: one.content for one in found},
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        whole = bundle.Bundle(archive)
        for path, content in files.items():
            whole.add(path, path, [content])
        whole.add(manifest.SUMS_PATH, "Digests", [manifest.sums(whole.files)])
    return target.getvalue()


def _opened(
    newer: Export, older: Export, *, by: User
) -> AbstractContextManager[tuple[zipfile.ZipFile, zipfile.ZipFile]]:
    if newer.privacy != older.privacy:
        raise Refused(
            "other-privacy",
            f"Export {older.pk} left under the profile {older.privacy}, export {newer.pk} under "
            f"{newer.privacy}: their rows can't be told to be the same.",
        )
    return opening.compared(newer, older, by=by)


def _told(newer: Export, older: Export, found: list[Changes]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "trial": newer.trial.identifier,
        "privacy": newer.privacy,
        "from": _named(older),
        "to": _named(newer),
        "datasets": [
            {
                "name": one.name,
                "path": one.path,
                "sha256": hashlib.sha256(one.content).hexdigest(),
                "keys": one.keys,
                "rows_added": one.count(changes.ADDED),
                "rows_changed": one.count(changes.CHANGED),
                "rows_removed": one.count(changes.REMOVED),
                "is_new": one.is_new,
                "is_gone": one.is_gone,
                "is_replaced": one.is_replaced,
            }
            for one in found
        ],
    }


def _named(export: Export) -> dict[str, Any]:
    """What an export is known by."""
    told = {name: export.manifest[name] for name in ("as_of", "audit_event", "snapshot")}
    return {"export": export.pk, "sha256": export.sha256, **told}
