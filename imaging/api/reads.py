"""A reader's own read over the API: opened, decided, grown, signed. Nobody sees another's."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from imaging import models, placed, slices
from imaging.api.serializers import PEAK_NOTE, PEAK_VOXELS, Node
from imaging.fusion import CtWindow
from imaging.selectors import derivations, regions
from imaging.selectors import reads as selecting
from imaging.services import growing, grown_mirror_images, reads, viewing
from trials import permissions, segmentation_methods
from trials.api.base import Endpoint, asked, filtered, operation
from trials.api.conduct import Password
from trials.api.fields import Line
from trials.services.errors import Refused

Rows = serializers.ModelSerializer
SERIES = models.Series.objects.select_related(
    "imaging_study__scheduled_scan__planned_scan__tracer",
    "imaging_study__scheduled_scan__patient__site",
)
MEASURES = (
    "suvmax",
    "suvmean",
    "suvpeak",
    "suvpeak_definition",
    "volume_ml",
    "total_uptake",
    "voxel_count",
    "suvmax_voxel",
    "centroid_mm",
    "has_partial_volume",
    "extent_mm",
    "peak_leaves_image",
)
PLACE = {"child": serializers.IntegerField(min_value=0), "min_length": 3, "max_length": 3}


class Measured(Rows):
    """SUV in g/mL, volume in mL, total uptake in g, place in mm (LPS)."""

    suvmax_voxel = serializers.ListField(child=serializers.IntegerField())
    centroid_mm = serializers.ListField(child=serializers.FloatField())
    extent_mm = serializers.ListField(
        child=serializers.FloatField(),
        allow_null=True,
        help_text="Along planes, rows and columns; none in what an earlier release measured.",
    )

    class Meta:
        model = models.GrownLesion
        fields = list(MEASURES)


class GrownMirrorImage(Rows):
    """Normal brain that a grown region is compared with, or why there is none."""

    code = serializers.CharField(help_text="Why there is none; empty where it was found.")
    message = serializers.CharField()
    plane = serializers.DictField(
        allow_null=True,
        help_text="Mirror plane: point_mm (LPS), normal, correlation of the two sides, definition.",
    )
    centre_mm = serializers.ListField(
        child=serializers.FloatField(),
        allow_null=True,
        help_text="In the patient's frame (LPS), mm.",
    )
    suvmean = serializers.FloatField(allow_null=True, help_text="g/mL")
    suv_sd = serializers.FloatField(allow_null=True, help_text="g/mL")

    class Meta:
        model = models.GrownMirrorImage
        fields = [
            "code",
            "message",
            "plane",
            "centre_mm",
            "voxel_count",
            "volume_ml",
            "suvmean",
            "suv_sd",
            "accepted_at",
        ]


class ReadRegion(Rows):
    """One region and what the reader says of it."""

    grown = serializers.IntegerField(
        source="grown_id", allow_null=True, help_text="Of one that the reader grew from a click."
    )
    lesion = serializers.IntegerField(
        source="lesion_id", allow_null=True, help_text="Of one that the measurement found."
    )
    measured = Measured()
    volume_before_ml = serializers.FloatField(
        source="grown.grown_from.volume_ml",
        default=None,
        allow_null=True,
        read_only=True,
        help_text="Of one that was grown again on a new measurement: its volume before, in mL.",
    )
    mirror_image = serializers.SerializerMethodField(
        help_text="Of one that the reader grew, where the protocol compares with the other side."
    )
    tbr = serializers.SerializerMethodField(
        help_text="SUVmax over SUVmean of that mirror image; null where there is none."
    )

    class Meta:
        model = models.LesionRead
        fields = [
            "number",
            "lesion",
            "grown",
            "decision",
            "organ",
            "reason",
            "region",
            "positivity",
            "decided_at",
            "measured",
            "volume_before_ml",
            "mirror_image",
            "tbr",
        ]

    @extend_schema_field(GrownMirrorImage(allow_null=True))
    def get_mirror_image(self, row: models.LesionRead) -> dict | None:
        image = grown_mirror_images.image_of(row)
        return GrownMirrorImage(image).data if image else None

    def get_tbr(self, row: models.LesionRead) -> float | None:
        image = row.grown and regions.own_mirror_image(row.grown)
        found = image and regions.ratios_to(image, row.grown)
        return found[0].value if found else None


class NotCarried(serializers.Serializer):
    """A region grown in the read before that can't be grown again on this measurement."""

    number = serializers.IntegerField(help_text="In the read before.")
    decision = serializers.CharField()
    volume_ml = serializers.FloatField()
    suvmax = serializers.FloatField()
    code = serializers.CharField()
    why = serializers.CharField()


class Read(Rows):
    """One's own read."""

    run = serializers.IntegerField(source="quantification.run")
    peak_voxels = serializers.IntegerField(
        source="quantification.peak_voxels", allow_null=True, help_text=PEAK_VOXELS
    )
    peak_note = serializers.CharField(source="quantification.peak_note", help_text=PEAK_NOTE)
    regions = serializers.SerializerMethodField()
    not_carried = NotCarried(many=True)
    ended = serializers.SerializerMethodField(
        help_text="Why a signed read holds no more, and what to do; empty where it stands."
    )
    obstacles = serializers.SerializerMethodField(
        help_text="What stands in the way of the signature, a sentence each."
    )

    class Meta:
        model = models.Read
        fields = [
            "id",
            "run",
            "state",
            "opened_at",
            "signed_at",
            "ended",
            "peak_voxels",
            "peak_note",
            "regions",
            "not_carried",
            "obstacles",
        ]

    @extend_schema_field(ReadRegion(many=True))
    def get_regions(self, read: models.Read) -> list[dict]:
        return ReadRegion(selecting.rows_of(read), many=True).data

    def get_ended(self, read: models.Read) -> str:
        return selecting.ended(read)

    def get_obstacles(self, read: models.Read) -> list[str]:
        return reads.obstacles(read) if read.state == models.Read.State.DRAFT else []


class OpenRead(serializers.Serializer):
    reason = Line(
        max_length=200, default="", allow_blank=True, help_text="To read again what one signed."
    )


class DecideRegion(serializers.Serializer):
    decision = Line(max_length=10, help_text="undecided, accepted or excluded.")
    organ = Line(max_length=30, default="", allow_blank=True, help_text="Of an excluded region.")
    reason = Line(max_length=200, default="", allow_blank=True, help_text="Why it is excluded.")
    region = Line(max_length=30, default="", allow_blank=True, help_text="Where a lesion lies.")
    positivity = Line(
        max_length=10, default="not_stated", help_text="not_stated, positive or negative."
    )


class Voxel(serializers.Serializer):
    plane = serializers.IntegerField(min_value=0)
    row = serializers.IntegerField(min_value=0)
    column = serializers.IntegerField(min_value=0)


class PlacedShape(serializers.Serializer):
    """A shape around the voxel, instead of what a click takes in."""

    shape = serializers.ChoiceField(choices=placed.SHAPES)
    size_mm = serializers.ListField(
        child=serializers.FloatField(min_value=1, max_value=500),
        min_length=3,
        max_length=3,
        help_text="Whole size along planes, rows and columns.",
    )


class Grow(serializers.Serializer):
    voxel = serializers.ListField(help_text="plane, row, column.", **PLACE)
    instead_of = serializers.IntegerField(
        default=None, allow_null=True, help_text="Number of the region whose outline it replaces."
    )
    placed = PlacedShape(required=False)


class Shared(serializers.Serializer):
    """A lesion of one's own read that holds some of the same voxels."""

    number = serializers.IntegerField()
    volume_ml = serializers.FloatField(help_text="What both hold.")


class Grown(serializers.Serializer):
    """What a click takes in; nothing is kept of it."""

    suvmax = serializers.FloatField(help_text="g/mL")
    suvmean = serializers.FloatField(help_text="g/mL")
    suvpeak = serializers.FloatField(help_text="g/mL")
    volume_ml = serializers.FloatField()
    total_uptake = serializers.FloatField(help_text="g")
    threshold = serializers.FloatField(help_text="Lowest SUV that belongs, g/mL.")
    holds_hotter = serializers.BooleanField(
        help_text="It holds a hotter voxel than the one near the click."
    )
    has_partial_volume = serializers.BooleanField()
    peak_leaves_image = serializers.BooleanField()
    peak_note = serializers.CharField(help_text=PEAK_NOTE)
    shares = Shared(many=True, help_text="To be kept in their place: no voxel counts twice.")


class Window(serializers.Serializer):
    low = serializers.FloatField(default=0.0, help_text="SUV drawn white, g/mL.")
    high = serializers.FloatField(default=10.0, help_text="SUV drawn black, g/mL.")
    ct = serializers.ChoiceField(
        choices=list(CtWindow), default=None, allow_null=True, help_text="Window of CT under it."
    )
    opacity = serializers.FloatField(
        default=0.6, min_value=0, max_value=1, help_text="Of the uptake over CT."
    )


class OwnRead(Endpoint):
    @operation("getOwnRead", tag="reading", answers=Read)
    def get(self, request: Request, reading_identifier: str) -> Response:
        """One's own read of a series, the draft before the signed one."""
        return self.show(own_read(request, reading_identifier, "reading.view"), Read)

    @operation("openRead", tag="reading", asks=OpenRead, answers=Read, status=201)
    def post(self, request: Request, reading_identifier: str) -> Response:
        """Begin one's read of the current measurement; with a reason, after one that was signed."""
        series = series_for(request, "read.edit", reading_identifier)
        read = reads.open_read(series, by=request.user, **asked(request, OpenRead))
        return self.show(read, Read, status=201)


class OneReadRegion(Endpoint):
    @operation("decideRegion", tag="reading", asks=DecideRegion, answers=ReadRegion)
    def post(self, request: Request, reading_identifier: str, number: int) -> Response:
        """Say that a region is a lesion, and where; or that it is none, with organ and reason."""
        read = own_read(request, reading_identifier, "read.edit")
        row = get_object_or_404(models.LesionRead, read=read, number=number)
        found = reads.decide(row, by=request.user, **asked(request, DecideRegion))
        return self.show(found, ReadRegion)


class AcceptMirrorImage(Endpoint):
    @operation("acceptMirrorImage", tag="reading", answers=ReadRegion)
    def post(self, request: Request, reading_identifier: str, number: int) -> Response:
        """Stand for the mirror image of a region that one grew, placed or drew."""
        read = own_read(request, reading_identifier, "read.edit")
        row = get_object_or_404(models.LesionRead, read=read, number=number)
        return self.show(reads.accept_mirror_image(row, by=request.user), ReadRegion)


class GrownRegions(Endpoint):
    @operation("previewRegion", tag="reading", answers=Grown, filters=Voxel)
    def get(self, request: Request, reading_identifier: str) -> Response:
        """What a click on a voxel takes in, by the method that the protocol states."""
        series = series_for(request, "reading.view", reading_identifier)
        run = get_object_or_404(series.quantifications, is_current=True)
        at = filtered(request, Voxel)
        found = growing.preview(run, (at["plane"], at["row"], at["column"]))
        one = found.measured
        return Response(
            {
                "suvmax": one.suvmax,
                "suvmean": one.suvmean,
                "suvpeak": one.suvpeak,
                "volume_ml": one.volume_ml,
                "total_uptake": one.total_uptake,
                "threshold": found.grown.threshold,
                "holds_hotter": found.grown.holds_hotter,
                "has_partial_volume": one.partial_volume,
                "peak_leaves_image": one.peak_leaves_image,
                "peak_note": run.peak_note,
                "shares": Shared(reads.shared_by(run, request.user, found), many=True).data,
            }
        )

    @operation("growRegion", tag="reading", asks=Grow, answers=ReadRegion, status=201)
    def post(self, request: Request, reading_identifier: str) -> Response:
        """Keep what a click or a placed shape takes in, as one more region or for an outline."""
        read = own_read(request, reading_identifier, "read.edit")
        given = asked(request, Grow)
        method = None
        if shape := given.get("placed"):
            method = segmentation_methods.placed(read.quantification.parameters, **shape)
        row = reads.grow(
            read,
            by=request.user,
            voxel=tuple(given["voxel"]),
            instead_of=given["instead_of"],
            method=method,
        )
        return self.show(row, ReadRegion, status=201)


class SignRead(Endpoint):
    @operation("signRead", tag="reading", asks=Password, answers=Read)
    def post(self, request: Request, reading_identifier: str) -> Response:
        """Sign one's read, with the password; its findings go to the trial."""
        read = own_read(request, reading_identifier, "read.sign")
        reads.sign(read, by=request.user, **asked(request, Password))
        read.refresh_from_db()
        return self.show(read, Read)


class SliceOfReading(Endpoint):
    @extend_schema(
        operation_id="getSlice",
        tags=["reading"],
        parameters=[Window],
        responses={(200, "image/png"): OpenApiTypes.BINARY},
    )
    def get(
        self, request: Request, reading_identifier: str, plane: str, index: int
    ) -> HttpResponse:
        """A slice (axial, coronal or sagittal) with the regions of one's own read, PNG.

        Over CT where `ct` names a window of it.
        """
        series = series_for(request, "reading.view", reading_identifier)
        run = get_object_or_404(series.quantifications, is_current=True)
        if plane not in list(slices.Plane):
            raise Refused("plane-unknown", "A plane is axial, coronal or sagittal.", status=404)
        wanted = filtered(request, Window)
        ct, opacity = wanted.pop("ct"), wanted.pop("opacity")
        png = viewing.slice_of(
            run,
            selecting.newest(run, request.user),
            plane=slices.Plane(plane),
            index=index,
            ct=viewing.Ct(CtWindow(ct), opacity) if ct else None,
            **wanted,
        )
        return HttpResponse(png, content_type="image/png")


class GrownDerivation(Endpoint):
    @operation("getGrownDerivation", tag="reading", answers=Node)
    def get(self, request: Request, pk: int, quantity: str) -> Response:
        """How one number of a region came about that a reader grew."""
        lesion = selecting.grown_seen_by(request.user, pk)
        with_origin = request.user.may_for("images.view", lesion.scope())
        node = derivations.derivation_of(lesion, quantity, with_origin=with_origin)
        return Response(node.to_json())


def series_for(request: Request, permission: str, identifier: str) -> models.Series:
    return permissions.fetched(SERIES, request.user, permission, reading_identifier=identifier)


def own_read(request: Request, identifier: str, permission: str) -> models.Read:
    return selecting.own_of(series_for(request, permission, identifier), request.user)
