"""Where a large file of a request waits: in the quarantine, for it may name a patient."""

from __future__ import annotations

import tempfile
import time
from contextlib import suppress
from pathlib import Path

from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, TemporaryFileUploadHandler

from imaging.storage import quarantine
from imaging.storage.places import closed_folder

LEFT_BEHIND_SECONDS = 24 * 3600


class SpoolUploadHandler(TemporaryFileUploadHandler):
    """Keeps a large file of a request in the quarantine until it is received.

    Django's default is the system's folder for temporary files: images with a patient's name
    would lie outside the storage, and stay there when the server is killed.
    """

    def new_file(self, *args, **kwargs) -> None:
        FileUploadHandler.new_file(self, *args, **kwargs)
        # One by one: parents are made with the mode of everybody's folders.
        folder = closed_folder(closed_folder(quarantine.folder) / "spool")
        _sweep(folder)
        self.file = _Spooled(folder, self.file_name, self.content_type)


class _Spooled(TemporaryUploadedFile):
    """Django's, in a folder that is given."""

    def __init__(self, folder: Path, name: str | None, content_type: str | None) -> None:
        file = tempfile.NamedTemporaryFile(suffix=".upload", dir=folder)  # noqa: SIM115  kept open
        UploadedFile.__init__(self, file, name, content_type, 0)


def _sweep(folder: Path) -> None:
    """Remove what a killed server left behind: no request is at it any more."""
    oldest = time.time() - LEFT_BEHIND_SECONDS
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()
