"""When a place in the body was scanned: whole-body PET moves on from bed to bed."""

from __future__ import annotations

from collections.abc import Sequence

from imaging import geometry
from imaging.models import Quantification
from imaging.selectors import volumes
from imaging.services import reconciliation


def uptake_minutes(run: Quantification, centre_mm: Sequence[float]) -> float | None:
    """Minutes from injection to the start of the bed that shows a point; None if not known."""
    if run.uptake_minutes is None:
        return None
    headers = volumes.headers_of(run.series)
    stack = geometry.stack_from_headers(headers)
    plane = round(float(stack.grid.patient_to_voxel(centre_mm)[0]))
    here = reconciliation.first_bed([headers[stack.order[plane]]])
    first = reconciliation.first_bed(headers)
    if here is None or first is None:
        return None
    return run.uptake_minutes + (here - first).total_seconds() / 60
