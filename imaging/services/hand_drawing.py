"""A region that a reader draws by hand: measured to be looked at, then kept as it was shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from imaging import drawn
from imaging.drawn import Paper
from imaging.models import LesionRead, Quantification, Read
from imaging.pictures import PictureError
from imaging.segmentation import SegmentationError
from imaging.services import growing, open_volumes, reads
from imaging.services.growing import Preview
from trials import segmentation_methods
from trials.models import User
from trials.services.errors import Refused

# A list of contours, each of points (x, y, z) in mm (LPS).
Contours = Sequence[Sequence[Sequence[float]]]


def paper_of(run: Quantification) -> Paper:
    """The slices of a run to draw on; refused where the volume lies askew in the patient."""
    try:
        return drawn.paper(open_volumes.of_run(run).grid)
    except PictureError as error:
        raise Refused("no-picture", f"Nothing can be drawn on: {error}.") from error


def preview(run: Quantification, contours: Contours) -> Preview:
    """What contours enclose, measured; nothing is kept of it."""
    opened = open_volumes.of_run(run)
    method = segmentation_methods.drawn(contours)
    try:
        return growing.grown_at(opened, run, growing.ANYWHERE, method=method)
    except SegmentationError as error:
        raise Refused(error.code, str(error), status=422) from error


def told(found: Preview) -> str:
    """A drawing in one word, by which what is kept is known for what was shown."""
    text = json.dumps(found.parameters["contours"], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def keep(
    read: Read, contours: Contours, *, by: User, seen: str, instead_of: int | None = None
) -> LesionRead:
    """Keep what contours enclose as a region of one's own read; `seen` is what `told` said."""
    found = preview(read.quantification, contours)
    if seen != told(found):
        raise Refused(
            "drawing-changed",
            "This is not the drawing that was measured last: look at what it takes in, then keep "
            "it.",
        )
    return reads.grow(
        read, by=by, voxel=found.voxel, instead_of=instead_of, method=found.parameters
    )
