"""Pictures as they lie in the archive."""

from __future__ import annotations

from imaging import storage
from imaging.models import Picture, Series
from trials.services.errors import Refused


def content_of(picture: Picture) -> bytes:
    """The picture's bytes; a lost file is a fault, one removed with its images is not."""
    if picture.quantification.series.code in Series.GONE:
        raise Refused("not-kept", "This picture was removed with its images.", status=410)
    return storage.archive.read(picture.sha256)
