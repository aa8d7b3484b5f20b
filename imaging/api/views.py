"""Images over the API: upload, ledger, series, derivations, blinded reading."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from imaging import models, selectors
from imaging.api import serializers
from imaging.selectors import derivations, pictures
from imaging.services import (
    assignment,
    incidents,
    inspection,
    partial_uploads,
    receiving,
    reconciliation,
    regions,
    reviews,
)
from trials import permissions
from trials.api.base import Endpoint, asked, filtered, operation
from trials.api.serializers import Reason
from trials.models import ScheduledScan

TRANSMITTALS = models.Transmittal.objects.select_related(
    "site", "scheduled_scan__patient__site", "sent_by"
)
INCIDENTS = models.PrivacyIncident.objects.select_related(
    "site", "transmittal__scheduled_scan__patient", "found_by", "judged_by", "closed_by"
)
PET = {"modality": "PT", "state": models.Series.State.QUANTIFIED}


class Ledger(Endpoint):
    """An address that shows a transmittal."""

    def entry(self, row: models.Transmittal, *, status: int = 200) -> Response:
        selectors.with_standing([row])
        return self.show(row, serializers.Transmittal, status=status)


class OpenTransmittal(Ledger):
    @operation(
        "openTransmittal",
        tag="images",
        asks=serializers.Open,
        answers=serializers.Transmittal,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """The transmittal now being received for a scan; asked again, it is the same one."""
        scan = permissions.fetched(
            ScheduledScan.objects.select_related("patient"), request.user, "images.upload", pk=pk
        )
        given = asked(request, serializers.Open)
        return self.entry(receiving.open_transmittal(scan, by=request.user, **given), status=201)


class Transmittals(Endpoint):
    @operation(
        "listTransmittals",
        tag="images",
        answers=serializers.Transmittal(many=True),
        filters=serializers.TransmittalFilter,
    )
    def get(self, request: Request) -> Response:
        """What was sent, newest first, and how far it has come."""
        rows = permissions.listed(TRANSMITTALS, request.user, "images.view")
        wanted = filtered(request, serializers.TransmittalFilter)
        if scan := wanted.pop("scan", None):
            wanted["scheduled_scan"] = scan
        return self.page(
            rows.filter(**wanted), serializers.Transmittal, prepared=selectors.with_standing
        )


class OneTransmittal(Ledger):
    @operation("getTransmittal", tag="images", answers=serializers.Transmittal)
    def get(self, request: Request, pk: int) -> Response:
        """One transmittal: its state, files, the job at work and the series released."""
        return self.entry(transmittal_for(request, "images.view", pk))


class MissingFiles(Endpoint):
    @operation("missingFiles", tag="images", asks=serializers.Digests, answers=serializers.Missing)
    def post(self, request: Request, pk: int) -> Response:
        """Which of these files still have to be sent."""
        row = transmittal_for(request, "images.upload", pk)
        given = asked(request, serializers.Digests)
        missing = receiving.missing(row, sha256s=given["sha256s"], by=request.user)
        return Response({"missing": missing, "held": row.files.count()})


class Files(Endpoint):
    parser_classes = [MultiPartParser]

    @operation("listFiles", tag="images", answers=serializers.File(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The files of a transmittal by digest, and why one did not pass."""
        rows = transmittal_for(request, "images.view", pk).files.select_related("archive")
        return self.page(rows, serializers.File)

    @operation("sendFiles", tag="images", asks=serializers.Files, answers=serializers.Received)
    def post(self, request: Request, pk: int) -> Response:
        """Send files in any order. What is acknowledged is on disk; sent again, kept once."""
        row = transmittal_for(request, "images.upload", pk)
        files = asked(request, serializers.Files)["files"]
        held = receiving.receive(row, files=files, by=request.user)
        return Response({"received": len(held)})


class PieceParser(BaseParser):
    """The bytes of a piece, one more than may come at most."""

    media_type = "application/octet-stream"

    def parse(self, stream, *_type, **_context) -> bytes:
        return stream.read(partial_uploads.MAXIMUM_PIECE_BYTES + 1)


class PartialUploads(Endpoint):
    @operation(
        "openPartialUpload",
        tag="images",
        asks=serializers.OpenPartialUpload,
        answers=serializers.PartialUpload,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Announce a file larger than 64 MiB, a zip; asked again, it is the same upload."""
        row = transmittal_for(request, "images.upload", pk)
        given = asked(request, serializers.OpenPartialUpload)
        upload = partial_uploads.begin(row, **given, by=request.user)
        return self.show(upload, serializers.PartialUpload, status=201)


class OnePartialUpload(Endpoint):
    parser_classes = [PieceParser]

    @operation("getPartialUpload", tag="images", answers=serializers.PartialUpload)
    def get(self, request: Request, pk: int) -> Response:
        """How much of a large file has come."""
        return self.show(self._row(request, pk), serializers.PartialUpload)

    @operation(
        "sendPiece",
        tag="images",
        asks={"application/octet-stream": OpenApiTypes.BINARY},
        answers=serializers.PartialUpload,
        filters=serializers.PieceFilter,
    )
    def put(self, request: Request, pk: int) -> Response:
        """Send the bytes that follow, at most 16 MiB. What is acknowledged is on disk.

        Another `offset` than what has come is refused with `offset-differs`: ask how much has
        come and go on there. With its last byte the file is held against its SHA-256.
        """
        row = self._row(request, pk)
        given = filtered(request, serializers.PieceFilter)
        found = partial_uploads.append(row, **given, data=request.data or b"", by=request.user)
        return self.show(found, serializers.PartialUpload)

    def _row(self, request: Request, pk: int) -> models.PartialUpload:
        rows = models.PartialUpload.objects.select_related(
            "transmittal__scheduled_scan__patient__site"
        )
        return permissions.fetched(rows, request.user, "images.upload", pk=pk)


class Complete(Ledger):
    @operation("completeTransmittal", tag="images", answers=serializers.Transmittal)
    def post(self, request: Request, pk: int) -> Response:
        """All files were sent: begin to inspect them."""
        row = transmittal_for(request, "images.upload", pk)
        return self.entry(receiving.complete(row, by=request.user))


class Decide(Ledger):
    @operation(
        "decideTransmittal", tag="images", asks=serializers.Decide, answers=serializers.Transmittal
    )
    def post(self, request: Request, pk: int) -> Response:
        """Let quarantined images through, or refuse them, saying why."""
        row = transmittal_for(request, "images.decide", pk)
        given = asked(request, serializers.Decide)
        return self.entry(inspection.decide(row, **given, by=request.user))


class Assign(Ledger):
    @operation(
        "assignTransmittal", tag="images", asks=serializers.Assign, answers=serializers.Transmittal
    )
    def post(self, request: Request, pk: int) -> Response:
        """Say which scan images are of that wait for it; they are inspected again."""
        row = transmittal_for(request, "images.upload", pk)
        given = asked(request, serializers.Assign)
        scan = permissions.fetched(
            ScheduledScan.objects.select_related("patient__site"),
            request.user,
            "images.upload",
            pk=given.pop("scan"),
        )
        return self.entry(assignment.assign(row, scan=scan, by=request.user, **given))


class Retry(Ledger):
    @operation("retryTransmittal", tag="images", answers=serializers.Transmittal)
    def post(self, request: Request, pk: int) -> Response:
        """Inspect once more what waits for a person, after a correction."""
        row = transmittal_for(request, "images.retry", pk)
        return self.entry(assignment.retry(row, by=request.user))


class Incidents(Endpoint):
    @operation("listIncidents", tag="incidents", answers=serializers.Incident(many=True))
    def get(self, request: Request) -> Response:
        """Privacy incidents, newest first."""
        return self.page(
            permissions.listed(INCIDENTS, request.user, "incident.view"), serializers.Incident
        )


class OneIncident(Endpoint):
    @operation("getIncident", tag="incidents", answers=serializers.Incident)
    def get(self, request: Request, pk: int) -> Response:
        """One privacy incident."""
        return self.show(incident_for(request, "incident.view", pk), serializers.Incident)


class ReportIncident(Endpoint):
    @operation(
        "reportIncident",
        tag="incidents",
        asks=serializers.ReportIncident,
        answers=serializers.Incident,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Say that the images of a transmittal are of another person."""
        row = transmittal_for(request, "incident.report", pk)
        made = incidents.report(row, by=request.user, **asked(request, serializers.ReportIncident))
        return self.show(made, serializers.Incident, status=201)


class JudgeIncident(Endpoint):
    @operation(
        "judgeIncident",
        tag="incidents",
        asks=serializers.JudgeIncident,
        answers=serializers.Incident,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Decide who has to be notified; again once the notification went out."""
        row = incident_for(request, "incident.handle", pk)
        given = asked(request, serializers.JudgeIncident)
        return self.show(incidents.judge(row, by=request.user, **given), serializers.Incident)


class ContainIncident(Endpoint):
    @operation("containIncident", tag="incidents", asks=Reason, answers=serializers.Incident)
    def post(self, request: Request, pk: int) -> Response:
        """Have the images of an incident removed, wherever they are."""
        row = incident_for(request, "incident.handle", pk)
        incidents.contain(row, by=request.user, **asked(request, Reason))
        return self.show(row, serializers.Incident)


class CloseIncident(Endpoint):
    @operation(
        "closeIncident",
        tag="incidents",
        asks=serializers.CloseIncident,
        answers=serializers.Incident,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Close an incident that is judged, notified and contained."""
        row = incident_for(request, "incident.handle", pk)
        given = asked(request, serializers.CloseIncident)
        return self.show(incidents.close(row, by=request.user, **given), serializers.Incident)


class SeriesList(Endpoint):
    @operation(
        "listSeries",
        tag="images",
        answers=serializers.Series(many=True),
        filters=serializers.SeriesFilter,
    )
    def get(self, request: Request) -> Response:
        """Released image series with their current measurement."""
        rows = permissions.listed(selectors.measured_series(), request.user, "images.view")
        if scan := filtered(request, serializers.SeriesFilter).get("scan"):
            rows = rows.filter(imaging_study__scheduled_scan=scan)
        return self.page(rows, serializers.Series)


class OneSeries(Endpoint):
    @operation("getSeries", tag="images", answers=serializers.Series)
    def get(self, request: Request, pk: int) -> Response:
        """One series: geometry, SUV, lesions, reference regions; or why there are none."""
        row = permissions.fetched(selectors.measured_series(), request.user, "images.view", pk=pk)
        return self.show(row, serializers.Series)


class Derivation(Endpoint):
    @operation("getDerivation", tag="images", answers=serializers.Node)
    def get(self, request: Request, pk: int, quantity: str) -> Response:
        """How one number came about, back to the voxel, the file and the syringe.

        `quantity` is suvmax, suvmean, suvpeak, volume_ml, total_uptake, tbr, tbr_peak,
        tbr_mean or positivity. Who may not see the images' origin gets the derivation without
        transmittal and syringe.
        """
        lesion = permissions.fetched(
            models.Lesion.objects.select_related("quantification__series__transmittal"),
            request.user,
            "quantification.view",
            pk=pk,
        )
        with_origin = request.user.may_for("images.view", lesion.scope())
        node = derivations.derivation_of(lesion, quantity, with_origin=with_origin)
        return Response(node.to_json())


class RegionDerivation(Endpoint):
    @operation("getRegionDerivation", tag="images", answers=serializers.Node)
    def get(self, request: Request, pk: int, quantity: str) -> Response:
        """How one number of a reference region came about.

        `quantity` is suvmean, suv_sd, cv, suvmax or suvpeak; origin as for a lesion.
        """
        region = permissions.fetched(
            models.ReferenceRegion.objects.select_related("quantification__series__transmittal"),
            request.user,
            "quantification.view",
            pk=pk,
        )
        with_origin = request.user.may_for("images.view", region.scope())
        node = derivations.region_derivation(region, quantity, with_origin=with_origin)
        return Response(node.to_json())


class AcceptSuv(Endpoint):
    @operation("acceptSuv", tag="images", asks=Reason, answers=serializers.Decision, status=201)
    def post(self, request: Request, pk: int) -> Response:
        """Let the candidate of a series for review hold, with a reason; it is measured anew."""
        series = permissions.fetched(models.Series.objects, request.user, "images.decide", pk=pk)
        run = get_object_or_404(models.Quantification, series=series, is_current=True)
        found = reviews.accept(run, by=request.user, **asked(request, Reason))
        return self.show(found, serializers.Decision, status=201)


class CountSeries(Endpoint):
    @operation(
        "countSeries",
        tag="images",
        asks=Reason,
        answers=serializers.CountingDecision,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Let one of several PET series count for its scan, with a reason."""
        series = permissions.fetched(models.Series.objects, request.user, "images.decide", pk=pk)
        found = reviews.count(series, by=request.user, **asked(request, Reason))
        return self.show(found, serializers.CountingDecision, status=201)


class OverrideFinding(Endpoint):
    @operation("overrideFinding", tag="images", asks=Reason, answers=serializers.Finding)
    def post(self, request: Request, pk: int) -> Response:
        """Let a conformance finding pass, with a reason; what it blocked is measured."""
        row = permissions.fetched(
            models.ConformanceFinding.objects, request.user, "images.decide", pk=pk
        )
        found = reconciliation.override(row, by=request.user, **asked(request, Reason))
        return self.show(found, serializers.Finding)


class Picture(Endpoint):
    @extend_schema(
        operation_id="getPicture",
        tags=["images"],
        responses={(200, "image/png"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        """A rendered picture of a measurement, PNG."""
        row = permissions.fetched(
            models.Picture.objects, request.user, "quantification.view", pk=pk
        )
        return HttpResponse(pictures.content_of(row), content_type="image/png")


class Readings(Endpoint):
    @operation("listReadings", tag="reading", answers=serializers.Reading(many=True))
    def get(self, request: Request) -> Response:
        """What a reader may read, in the order of identifiers that say nothing else."""
        rows = permissions.listed(selectors.measured_series(), request.user, "reading.view")
        rows = selectors.to_read(rows).order_by("reading_identifier")
        return self.page(rows, serializers.Reading)


class Reading(Endpoint):
    @operation("getReading", tag="reading", answers=serializers.Reading)
    def get(self, request: Request, reading_identifier: str) -> Response:
        """A blinded read: nothing in it names a patient, a site or a date."""
        return self.show(
            reading_for(request, "reading.view", reading_identifier), serializers.Reading
        )


class Regions(Endpoint):
    @operation(
        "placeRegion",
        tag="reading",
        asks=serializers.PlaceRegion,
        answers=serializers.Region,
        status=201,
    )
    def post(self, request: Request, reading_identifier: str) -> Response:
        """Place a reference sphere, in place of the one of its kind; lesions are compared."""
        row = reading_for(request, "region.place", reading_identifier)
        given = asked(request, serializers.PlaceRegion)
        region = regions.place(row.current[0], **given, by=request.user)
        return self.show(region, serializers.Region, status=201)


class AcceptRegion(Endpoint):
    @operation("acceptRegion", tag="reading", answers=serializers.Region)
    def post(self, request: Request, reading_identifier: str, pk: int) -> Response:
        """Stand for a proposed reference region as its reader."""
        row = reading_for(request, "region.place", reading_identifier)
        region = get_object_or_404(models.ReferenceRegion, quantification__series=row, pk=pk)
        return self.show(regions.accept(region, by=request.user), serializers.Region)


def incident_for(request: Request, permission: str, pk: int) -> models.PrivacyIncident:
    return permissions.fetched(INCIDENTS, request.user, permission, pk=pk)


def transmittal_for(request: Request, permission: str, pk: int) -> models.Transmittal:
    return permissions.fetched(TRANSMITTALS, request.user, permission, pk=pk)


def reading_for(request: Request, permission: str, identifier: str) -> models.Series:
    return permissions.fetched(
        selectors.measured_series().filter(**PET),
        request.user,
        permission,
        reading_identifier=identifier,
    )
