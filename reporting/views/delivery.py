"""How a file of an export is answered: with its tag, in parts when asked, and on the record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header

from reporting import ranges
from reporting.services.deliveries import Delivery
from trials.models import User


def answered(request: HttpRequest, given: Delivery) -> HttpResponseBase:
    """The answer to GET and HEAD of a file (RFC 9110: conditions first, then the range)."""
    etag = f'"{given.tag}"'
    response = get_conditional_response(request, etag=etag) or _sent(request, given, etag)
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-store"
    if given.size is not None:
        response["Accept-Ranges"] = "bytes"
    return response


def _sent(request: HttpRequest, given: Delivery, etag: str) -> HttpResponseBase:
    try:
        part = _part(request, given, etag)
    except ranges.UnsatisfiableError:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{given.size}"})
    wanted = range(given.size or 0) if part is None else part
    response = StreamingHttpResponse(
        _pieces(request, given, wanted),
        status=200 if part is None else 206,
        content_type=given.kind,
    )
    response["Content-Disposition"] = content_disposition_header(True, given.name)
    if part is not None:
        response["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{given.size}"
    if given.size is not None:
        response["Content-Length"] = str(len(wanted))
    return response


def _part(request: HttpRequest, given: Delivery, etag: str) -> range | None:
    is_asked = request.method == "GET" and given.size is not None
    if not is_asked or not ranges.stands(request.headers.get("If-Range", ""), etag):
        return None
    return ranges.asked(request.headers.get("Range", ""), given.size or 0)


def _pieces(request: HttpRequest, given: Delivery, wanted: range) -> Iterator[bytes]:
    """The bytes, once it is kept who gets them; of HEAD there are none."""
    if request.method == "HEAD":
        return iter(())
    given.noted(by=cast(User, request.user))
    return given.pieces(wanted)
