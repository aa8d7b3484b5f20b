"""Regions drawn by hand over the API: measured to be looked at, kept in one's own read."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from imaging import drawn
from imaging.api.reads import ReadRegion, Shared, own_read
from imaging.api.serializers import PEAK_NOTE
from imaging.services import hand_drawing, reads
from trials.api.base import Endpoint, asked, operation
from trials.api.fields import Line


class Drawing(serializers.Serializer):
    """Closed contours, each in one slice; the last point is joined to the first."""

    contours = serializers.ListField(
        child=serializers.ListField(
            child=serializers.ListField(
                child=serializers.FloatField(min_value=-1e5, max_value=1e5),
                min_length=3,
                max_length=3,
            ),
            min_length=3,
            max_length=drawn.MOST_IN_A_SLICE,
        ),
        min_length=1,
        max_length=drawn.MOST_POINTS // 3,
        help_text="Contours of points x, y, z in mm (LPS).",
    )


class KeepDrawing(Drawing):
    seen = Line(max_length=64, help_text="`told` of the preview: what is kept is what was shown.")
    instead_of = serializers.IntegerField(
        default=None, allow_null=True, help_text="Number of the region whose outline it replaces."
    )


class DrawingMeasured(serializers.Serializer):
    """What a drawing takes in; nothing is kept of it."""

    told = serializers.CharField(help_text="Of the contours, to keep them by.")
    slices = serializers.ListField(child=serializers.IntegerField(), help_text="From 1.")
    voxel_count = serializers.IntegerField()
    suvmax = serializers.FloatField(help_text="g/mL")
    suvmean = serializers.FloatField(help_text="g/mL")
    suvpeak = serializers.FloatField(help_text="g/mL")
    volume_ml = serializers.FloatField()
    total_uptake = serializers.FloatField(help_text="g")
    has_partial_volume = serializers.BooleanField()
    peak_leaves_image = serializers.BooleanField()
    peak_note = serializers.CharField(help_text=PEAK_NOTE)
    shares = Shared(many=True, help_text="To be kept in their place: no voxel counts twice.")


class DrawnPreview(Endpoint):
    @operation("previewDrawing", tag="reading", asks=Drawing, answers=DrawingMeasured)
    def post(self, request: Request, reading_identifier: str) -> Response:
        """What contours enclose, measured; nothing is kept."""
        read = own_read(request, reading_identifier, "read.edit")
        found = hand_drawing.preview(read.quantification, asked(request, Drawing)["contours"])
        one = found.measured
        shared = reads.shared_by(read.quantification, request.user, found)
        return Response(
            {
                "told": hand_drawing.told(found),
                "slices": found.parameters["slices"],
                "voxel_count": one.voxel_count,
                "suvmax": one.suvmax,
                "suvmean": one.suvmean,
                "suvpeak": one.suvpeak,
                "volume_ml": one.volume_ml,
                "total_uptake": one.total_uptake,
                "has_partial_volume": one.partial_volume,
                "peak_leaves_image": one.peak_leaves_image,
                "peak_note": read.quantification.peak_note,
                "shares": Shared(shared, many=True).data,
            }
        )


class DrawnRegions(Endpoint):
    @operation("keepDrawing", tag="reading", asks=KeepDrawing, answers=ReadRegion, status=201)
    def post(self, request: Request, reading_identifier: str) -> Response:
        """Keep what contours enclose, as one more region or for an outline."""
        read = own_read(request, reading_identifier, "read.edit")
        row = hand_drawing.keep(read, by=request.user, **asked(request, KeepDrawing))
        return self.show(row, ReadRegion, status=201)
