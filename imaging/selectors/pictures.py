"""Pictures as they lie in the archive."""

from __future__ import annotations

from imaging import storage
from imaging.models import Picture
from trials.services.errors import Refused


def content_of(picture: Picture) -> bytes:
    """The picture's bytes, as long as its patient lets it be kept."""
    if not storage.archive.has(picture.sha256):
        raise Refused("not-kept", "This picture is not in the archive any more.", status=410)
    return storage.archive.read(picture.sha256)
