"""DICOMweb (PS3.18): images come in by STOW-RS, are found by QIDO-RS and read by WADO-RS.

What is refused is answered as the rest of the API answers, in JSON with a code and a sentence;
what is done, in the media types of the standard.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from pydicom.uid import ExplicitVRLittleEndian
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.views import APIView

from imaging import dicom_search, models, multipart, rendering
from imaging.media_types import MediaType, chosen, media_type
from imaging.multipart import MalformedError
from imaging.selectors import dicomweb, released
from imaging.services import receiving, storing
from imaging.store_response import StoreResponse
from trials import permissions
from trials.api.authentication import SendingAuthentication
from trials.models import ScheduledScan, SendingToken, Site
from trials.services.errors import Refused

TAG = "dicomweb"
DICOM_JSON = MediaType("application/dicom+json")
PLAIN_JSON = MediaType("application/json")
DICOM_XML = MediaType("application/dicom+xml")
# Every image of the archive is native and little endian.
_NATIVE = {"transfer-syntax": ExplicitVRLittleEndian}
DICOM_PARTS = MediaType("multipart/related", {"type": "application/dicom"} | _NATIVE)

FRAME_PARTS = MediaType("multipart/related", {"type": "application/octet-stream"} | _NATIVE)
PICTURES = [MediaType(name) for name in rendering.FORMATS]
# So large is a small picture, in pixels.
THUMBNAIL = (128, 128)


class RefusalsInJson(DefaultContentNegotiation):
    """What a client accepts is asked by each address itself; refusals are JSON all the same."""

    def select_renderer(self, request, renderers, format_suffix=None):  # noqa: ARG002  DRF's
        return renderers[0], renderers[0].media_type


class Unread(BaseParser):
    """Leaves the body where it is when a session's token is looked for in it."""

    media_type = "multipart/related"

    def parse(self, stream, media_type=None, parser_context=None):  # noqa: ARG002  DRF's
        return {}


class DicomWeb(APIView):
    """An address of DICOMweb."""

    content_negotiation_class = RefusalsInJson


def wanted(request: Request, offered: Sequence[MediaType]) -> MediaType:
    """Which of these the client wants; the query may say so where a header can't be set."""
    asked_for = request.query_params.get("accept") or request.headers.get("Accept", "")
    found = chosen(asked_for, offered)
    if found is None:
        names = ", ".join(dict.fromkeys(_written(one) for one in offered))
        raise NotAcceptable(f"This address answers in {names} alone: accept one of them.")
    return found


def _written(one: MediaType) -> str:
    return f'{one.name}; type="{one.of_parts}"' if one.of_parts else one.name


# Search


class Search(DicomWeb):
    """Looks for what is released within the scope of whoever asks."""

    def search(
        self, request: Request, find: Callable[..., dicomweb.Found], **at: str
    ) -> HttpResponse:
        answer = wanted(request, [DICOM_JSON, PLAIN_JSON])
        if at:
            dicomweb.held(request.user, **at)
        query = [(name, value) for name, values in request.query_params.lists() for value in values]
        given = [(KEYWORDS[name], uid) for name, uid in at.items()]
        try:
            asked = dicom_search.search(query, within=dict(given))
        except dicom_search.SearchError as error:
            raise Refused("malformed", str(error), status=400) from error
        found = find(request.user, asked, root=request.build_absolute_uri("/dicom-web"))
        response = HttpResponse(json.dumps(found.results), content_type=answer.name)
        response["X-Total-Count"] = found.total
        remaining = found.total - asked.offset - len(found.results)
        if remaining > 0:
            response["Warning"] = (
                f'299 TrialTrace "There are {remaining} additional results that can be requested"'
            )
        return response


KEYWORDS = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID"}


def searched(name: str) -> Callable:
    """What the API's description says of a search."""
    parameters = [
        OpenApiParameter(key, str, description=description)
        for key, description in {
            **dict.fromkeys(dicom_search.SEARCHED, "Must match; by keyword or by tag."),
            "includefield": "Accepted; what is held is always told.",
        }.items()
    ]
    pages = [
        OpenApiParameter("limit", int, description=f"At most {dicom_search.MOST}."),
        OpenApiParameter("offset", int),
    ]
    return extend_schema(
        operation_id=name,
        tags=[TAG],
        parameters=[*parameters, *pages],
        responses={(200, DICOM_JSON.name): OpenApiTypes.OBJECT},
    )


class AllSeries(Search):
    @searched("searchSeries")
    def get(self, request: Request) -> HttpResponse:
        """Released series, of all studies."""
        return self.search(request, dicomweb.series)


class AllInstances(Search):
    @searched("searchInstances")
    def get(self, request: Request) -> HttpResponse:
        """Released instances, of all studies."""
        return self.search(request, dicomweb.instances)


class SeriesOfStudy(Search):
    @searched("searchSeriesOfStudy")
    def get(self, request: Request, study: str) -> HttpResponse:
        """The series of a study."""
        return self.search(request, dicomweb.series, study=study)


class InstancesOfStudy(Search):
    @searched("searchInstancesOfStudy")
    def get(self, request: Request, study: str) -> HttpResponse:
        """The instances of a study."""
        return self.search(request, dicomweb.instances, study=study)


class InstancesOfSeries(Search):
    @searched("searchInstancesOfSeries")
    def get(self, request: Request, study: str, series: str) -> HttpResponse:
        """The instances of a series."""
        return self.search(request, dicomweb.instances, study=study, series=series)


# Retrieve


class Retrieve(DicomWeb):
    """Sends what is at an address, one image at a time."""

    def files(self, request: Request, **at: str) -> StreamingHttpResponse:
        answer = wanted(request, [DICOM_PARTS])
        sha256s = _sha256s(request, at)
        return _in_parts(released.files(sha256s), answer)

    def metadata(self, request: Request, **at: str) -> StreamingHttpResponse:
        answer = wanted(request, [DICOM_JSON, PLAIN_JSON])
        sha256s = _sha256s(request, at)
        return StreamingHttpResponse(released.metadata(sha256s), content_type=answer.name)


INCLUDE = "include"
FACES = OpenApiParameter(
    "recognizable",
    str,
    enum=[INCLUDE],
    description="Send the images too from which a face can be rendered, which are those of CT.",
)


def retrieved(name: str, kind: str, *parameters: OpenApiParameter) -> Callable:
    """What the API's description says of a retrieval."""
    return extend_schema(
        operation_id=name,
        tags=[TAG],
        parameters=list(parameters),
        responses={(200, kind): OpenApiTypes.BINARY},
    )


class Study(Retrieve):
    @retrieved("retrieveStudy", "multipart/related", FACES)
    def get(self, request: Request, study: str) -> StreamingHttpResponse:
        """The de-identified files of a study, without CT: a face can be rendered from it.

        A series or an image is sent where it is asked for by its own address.
        """
        answer = wanted(request, [DICOM_PARTS])
        found = dicomweb.held(request.user, study=study)
        with_faces = request.query_params.get(FACES.name) == INCLUDE
        sha256s, left_out = dicomweb.in_bulk(found, with_faces=with_faces)
        response = _in_parts(released.files(sha256s), answer)
        if left_out:
            response["Warning"] = (
                f'299 TrialTrace "{left_out} CT images are left out, as a face can be rendered '
                f'from them: {FACES.name}={INCLUDE} sends them too"'
            )
        return response


class OneSeries(Retrieve):
    @retrieved("retrieveSeries", "multipart/related")
    def get(self, request: Request, study: str, series: str) -> StreamingHttpResponse:
        """The de-identified files of a series."""
        return self.files(request, study=study, series=series)


class Instance(Retrieve):
    @retrieved("retrieveInstance", "multipart/related")
    def get(
        self, request: Request, study: str, series: str, instance: str
    ) -> StreamingHttpResponse:
        """One de-identified file."""
        return self.files(request, study=study, series=series, instance=instance)


class StudyMetadata(Retrieve):
    @retrieved("retrieveStudyMetadata", DICOM_JSON.name)
    def get(self, request: Request, study: str) -> StreamingHttpResponse:
        """The headers of a study, without bulk data."""
        return self.metadata(request, study=study)


class SeriesMetadata(Retrieve):
    @retrieved("retrieveSeriesMetadata", DICOM_JSON.name)
    def get(self, request: Request, study: str, series: str) -> StreamingHttpResponse:
        """The headers of a series, without bulk data."""
        return self.metadata(request, study=study, series=series)


class InstanceMetadata(Retrieve):
    @retrieved("retrieveInstanceMetadata", DICOM_JSON.name)
    def get(
        self, request: Request, study: str, series: str, instance: str
    ) -> StreamingHttpResponse:
        """The header of an instance, without bulk data."""
        return self.metadata(request, study=study, series=series, instance=instance)


class Frames(DicomWeb):
    @retrieved("retrieveFrames", "multipart/related")
    def get(
        self, request: Request, study: str, series: str, instance: str, frames: str
    ) -> StreamingHttpResponse:
        """The stored values of an image, native and little endian. Each image has one frame."""
        answer = wanted(request, [FRAME_PARTS])
        image = _image(request, study=study, series=series, instance=instance)
        _require_first(frames)
        return _in_parts([released.frame(image)], answer)


class Rendered(DicomWeb):
    """Draws an image for a look."""

    box: tuple[int, int] | None = None

    def draw(self, request: Request, **at: str) -> HttpResponse:
        answer = wanted(request, PICTURES)
        look = _look(request, answer.name, self.box)
        png = released.picture(_image(request, **at), look)
        return HttpResponse(png, content_type=answer.name)


def drawn(name: str) -> Callable:
    """What the API's description says of a picture."""
    parameters = [
        OpenApiParameter("window", str, description="centre,width,linear in the image's unit."),
        OpenApiParameter("viewport", str, description="width,height that it is made to fit into."),
        OpenApiParameter("quality", int, description="Of a JPEG, from 1 to 100."),
    ]
    return extend_schema(
        operation_id=name,
        tags=[TAG],
        parameters=parameters,
        responses={(200, one.name): OpenApiTypes.BINARY for one in PICTURES},
    )


class RenderedInstance(Rendered):
    @drawn("retrieveRenderedInstance")
    def get(self, request: Request, study: str, series: str, instance: str) -> HttpResponse:
        """A picture of an image: PET by its SUV, CT by the window of its header."""
        return self.draw(request, study=study, series=series, instance=instance)


class RenderedFrames(Rendered):
    @drawn("retrieveRenderedFrames")
    def get(
        self, request: Request, study: str, series: str, instance: str, frames: str
    ) -> HttpResponse:
        """A picture of the one frame that an image has."""
        _require_first(frames)
        return self.draw(request, study=study, series=series, instance=instance)


class InstanceThumbnail(Rendered):
    box = THUMBNAIL

    @drawn("retrieveInstanceThumbnail")
    def get(self, request: Request, study: str, series: str, instance: str) -> HttpResponse:
        """A small picture of an image."""
        return self.draw(request, study=study, series=series, instance=instance)


class SeriesThumbnail(Rendered):
    box = THUMBNAIL

    @drawn("retrieveSeriesThumbnail")
    def get(self, request: Request, study: str, series: str) -> HttpResponse:
        """A small picture of the image in the middle of a series."""
        return self.draw(request, study=study, series=series)


def _image(request: Request, **at: str) -> models.Instance:
    """The image at an address; of a series, the one in the middle."""
    return dicomweb.middle(dicomweb.images_of(request.user, **at))


def _require_first(frames: str) -> None:
    if set(frames.split(",")) != {"1"}:
        raise Http404


def _look(request: Request, media_type: str, box: tuple[int, int] | None) -> released.Look:
    """How a picture is wanted, as the query says."""
    query = request.query_params
    try:
        return released.Look(
            media_type,
            rendering.window_of_text(query["window"]) if "window" in query else None,
            rendering.box_of_text(query["viewport"]) if "viewport" in query else box,
            rendering.quality_of_text(query.get("quality", str(rendering.QUALITY))),
        )
    except rendering.RenderingError as error:
        raise Refused("malformed", str(error), status=400) from error


def _sha256s(request: Request, at: dict[str, str]) -> list[str]:
    return dicomweb.held(request.user, **at).digests


def _in_parts(contents: Iterable[bytes], kind: MediaType) -> StreamingHttpResponse:
    boundary = uuid.uuid4().hex
    of_part = f"{kind.of_parts}; transfer-syntax={kind.parameters['transfer-syntax']}"
    return StreamingHttpResponse(
        multipart.written(contents, boundary, of_part),
        content_type=f'multipart/related; type="{kind.of_parts}"; boundary={boundary}',
    )


# Store


class Store(DicomWeb):
    """Takes images; where they go, the address says."""

    authentication_classes = [SendingAuthentication, SessionAuthentication]
    parser_classes = [Unread]

    def store(self, request: Request, keep: Callable[[], storing.Keep]) -> HttpResponse:
        answer = wanted(request, [DICOM_JSON, PLAIN_JSON, DICOM_XML])
        into = keep()
        limits = multipart.Limits(
            parts=receiving.MAXIMUM_FILES, part_bytes=receiving.MAXIMUM_FILE_BYTES
        )
        boundary = _boundary(request)
        read = multipart.bounded(_body_of(request), settings.STOW_MAXIMUM_BYTES)
        found = storing.store(multipart.parts(read, boundary, limits), into)
        return _told(found, answer)


def stored(name: str) -> Callable:
    """What the API's description says of a store operation."""
    answers = {
        (status, kind.name): OpenApiTypes.OBJECT
        for status in (200, 202, 409)
        for kind in (DICOM_JSON, DICOM_XML)
    }
    return extend_schema(
        operation_id=name,
        tags=[TAG],
        request={'multipart/related; type="application/dicom"': OpenApiTypes.BINARY},
        responses=answers,
    )


class Studies(Store, Search):
    @searched("searchStudies")
    def get(self, request: Request) -> HttpResponse:
        """Studies of which images are released, newest first, of the trials and sites you see."""
        return self.search(request, dicomweb.studies)

    @stored("storeInstances")
    def post(self, request: Request) -> HttpResponse:
        """Send images to the one site where you may. Stored means held: a verdict follows."""
        if isinstance(token := request.auth, SendingToken):
            return self.store(request, lambda: storing.for_machine(token))
        return self.store(
            request, lambda: storing.for_site(storing.only_site(request.user), by=request.user)
        )


class SiteStudies(Store):
    @stored("storeInstancesOfSite")
    def post(self, request: Request, pk: int) -> HttpResponse:
        """Send images to a site; a person says later which scan each study is of."""
        if isinstance(token := request.auth, SendingToken):
            return self.store(request, lambda: storing.for_machine(token, site=pk))
        site = permissions.fetched(
            Site.objects.select_related("trial"), request.user, "images.upload", pk=pk
        )
        return self.store(request, lambda: storing.for_site(site, by=request.user))


class ScanStudies(Store):
    @stored("storeInstancesOfScan")
    def post(self, request: Request, pk: int) -> HttpResponse:
        """Send the images of one scheduled scan."""
        if isinstance(request.auth, SendingToken):
            raise Refused(
                "sending-token",
                "A machine's token sends to its site, and a person says which scan it is of: "
                f"POST to /dicom-web/sites/{request.auth.site_id}/studies.",
                status=403,
            )
        scan = permissions.fetched(
            ScheduledScan.objects.select_related("patient__site"),
            request.user,
            "images.upload",
            pk=pk,
        )
        return self.store(request, lambda: storing.for_scan(scan, by=request.user))


def _boundary(request: Request) -> bytes:
    """The boundary of a body that may be read; whatever else a body is, is refused unread."""
    content = media_type(request.headers.get("Content-Type", ""))
    of_parts = content.of_parts or "application/dicom"
    if content.name != "multipart/related" or of_parts != "application/dicom":
        raise Refused(
            "unsupported-media-type",
            'Send the images as multipart/related; type="application/dicom".',
            status=415,
        )
    try:
        return multipart.boundary_of(content)
    except MalformedError as error:
        raise Refused("malformed", str(error), status=400) from error


def _body_of(request: Request) -> multipart.Read:
    """The body as it comes. Django gives none that is sent in chunks: no length announces it."""
    environ: dict[str, Any] = request.META
    if environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH"):
        return environ["wsgi.input"].read
    return request._request.read


def _told(found: StoreResponse, answer: MediaType) -> HttpResponse:
    body = found.to_xml() if answer == DICOM_XML else json.dumps(found.to_json())
    return HttpResponse(body, content_type=answer.name, status=found.status)
