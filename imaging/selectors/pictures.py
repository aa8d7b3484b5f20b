"""Pictures as they lie in the archive."""

from __future__ import annotations

from imaging import storage
from imaging.models import Destruction, Picture
from trials.services.errors import Refused


def content_of(picture: Picture) -> bytes:
    """The picture's bytes; a lost file is a fault, one destroyed on the patient's wish is not."""
    if not storage.archive.has(picture.sha256) and _is_destroyed(picture):
        raise Refused("not-kept", "This picture was destroyed on the patient's wish.", status=410)
    return storage.archive.read(picture.sha256)


def _is_destroyed(picture: Picture) -> bool:
    study = "imaging_studies__series__quantifications__pictures"
    return Destruction.objects.filter(**{f"patient__scheduled_scans__{study}": picture}).exists()
