"""Where a large file of a request waits: in the quarantine, for it may name a patient."""

from __future__ import annotations

import tempfile
import time
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, TemporaryFileUploadHandler

from imaging.storage import quarantine
from imaging.storage.places import INCOMING, closed_folder

LEFT_BEHIND_SECONDS = 24 * 3600
SPOOL = "spool"


class SpoolUploadHandler(TemporaryFileUploadHandler):
    """Keeps a large file of a request in the quarantine until it is received.

    Django's default is the system's folder for temporary files: images with a patient's name
    would lie outside the storage, and stay there when the server is killed.
    """

    def new_file(self, *args, **kwargs) -> None:
        FileUploadHandler.new_file(self, *args, **kwargs)
        # One by one: parents are made with the mode of everybody's folders.
        closed_folder(quarantine.folder)
        self.file = _Spooled(closed_folder(_folder()), self.file_name, self.content_type)


class _Spooled(TemporaryUploadedFile):
    """Django's, in a folder that is given."""

    def __init__(self, folder: Path, name: str | None, content_type: str | None) -> None:
        file = tempfile.NamedTemporaryFile(suffix=".upload", dir=folder)  # noqa: SIM115  kept open
        UploadedFile.__init__(self, file, name, content_type, 0)


def sweep() -> int:
    """Remove what killed processes left behind: nobody is at it any more, nor was told of it."""
    oldest, count = time.time() - LEFT_BEHIND_SECONDS, 0
    for path in (*Path(settings.STORAGE).glob(f"*/{INCOMING}*"), *_folder().glob("*")):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()
                count += 1
    return count


def is_temporary(name: str) -> bool:
    """Whether a file of a store is one that `sweep` looks at."""
    return name.startswith((INCOMING, f"{SPOOL}/"))


def _folder() -> Path:
    return quarantine.folder / SPOOL
