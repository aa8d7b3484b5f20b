"""Pictures and DICOM objects as files."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_safe

from imaging.models import DicomObject, Picture
from imaging.selectors import pictures, released, written
from trials import permissions


@require_GET
def picture(request: HttpRequest, pk: int) -> HttpResponse:
    row = permissions.fetched(Picture.objects, request.user, "quantification.view", pk=pk)
    response = HttpResponse(pictures.content_of(row), content_type="image/png")
    response["Cache-Control"] = "private, max-age=86400, immutable"
    return response


@require_safe
def dicom_object(request: HttpRequest, pk: int) -> HttpResponse:
    """Segmentation, report or map of values, as a file."""
    rows = DicomObject.objects.select_related("quantification__series__imaging_study")
    row = permissions.fetched(
        written.seen_by(rows, request.user),
        request.user,
        "objects.view",
        pk=pk,
    )
    response = HttpResponse(released.object_of(row), content_type="application/dicom")
    series = row.quantification.series.reading_identifier
    read = f"-read-{row.read_id}" if row.read_id else ""
    name = f"{series}-run-{row.quantification.run}{read}-{row.kind}.dcm"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
