"""How the API answers what it refuses: one shape for every error, and its description.

`{"code", "message"}`, with `field` where one field is at fault and `errors` where the shape
of the body is. Codes are stable; messages are for people.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework import exceptions
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler

from trials.services.errors import Refused

CODES = {"parse_error": "malformed", "permission_denied": "forbidden"}
FOR_PROGRAMS = ("/api/", "/dicom-web/")
NOT_FOUND = "There is nothing at this address, or nothing that your roles let you see."
FAILED = "Something went wrong on our side and is in the log. Nothing was changed."
# What any operation may answer besides its success, in the order of their checks.
STATUSES = {
    "400": "The body can't be read as what it says it is.",
    "401": "Nobody is logged in, or the token is unknown, expired or revoked.",
    "403": "No role of this user grants this here.",
    "404": "No such row within the trials and sites of this user.",
    "405": "This address doesn't take this method.",
    "409": "The state of the record or a rule doesn't allow this.",
    "413": "The body is too big.",
    "415": "The body has a content type that this address doesn't read.",
    "422": "A field can't be what it is given as.",
    "429": "Too many log-ins; Retry-After says when to try again.",
}


class ApiDocs(SpectacularSwaggerSplitView):
    """The API to read and try, without inline script or style."""

    template_name = "config/api_docs.html"


@extend_schema(exclude=True)
class UnknownAddress(APIView):
    """Any address below /api/ or /dicom-web/ that is none, answered as the API answers."""

    permission_classes = [AllowAny]

    def initial(self, *_args: Any, **_kwargs: Any) -> None:
        raise exceptions.NotFound


def answer(error: Exception, context: dict) -> Response | None:
    """The response to an exception of a view; None for a fault, which becomes a 500."""
    if isinstance(error, Refused):
        return Response(_refusal(error), status=error.status)
    if isinstance(error, SuspiciousOperation):
        return _unreadable(error)
    response = exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, exceptions.ValidationError):
        response.status_code = 422
        response.data = _invalid(error.detail)
    elif response.status_code == 404:
        response.data = {"code": "not-found", "message": NOT_FOUND}
    else:
        response.data = {"code": _code(error), "message": str(error.detail)}
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """A fault: the trace is in the log, and for programs the answer is JSON."""
    if not request.path.startswith(FOR_PROGRAMS):
        return defaults.server_error(request)
    return JsonResponse({"code": "server-error", "message": FAILED}, status=500)


def _refusal(error: Refused) -> dict[str, Any]:
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if field := getattr(error, "field", ""):
        body["field"] = field
    if errors := getattr(error, "errors", None):
        body["errors"] = errors
    return body


def _unreadable(error: SuspiciousOperation) -> Response:
    """Bodies that Django will not read: too many files or fields, too many bytes."""
    if isinstance(error, RequestDataTooBig):
        message = "The body has too many bytes: send it in smaller parts."
        return Response({"code": "too-big", "message": message}, status=413)
    message = f"The body can't be read: {error}"
    return Response({"code": "malformed", "message": message}, status=400)


def _code(error: exceptions.APIException) -> str:
    code = error.default_code
    return CODES.get(code, code.replace("_", "-"))


def _invalid(detail: Any) -> dict[str, Any]:
    """The first problem as a sentence with its field, and all of them by field."""
    field, message = _first(detail)
    if not field:
        return {"code": "invalid", "message": message}
    return {
        "code": "invalid",
        "message": f"{field}: {message}",
        "field": field,
        "errors": detail,
    }


def _first(detail: Any, path: str = "") -> tuple[str, str]:
    if isinstance(detail, dict):
        name, inner = next(iter(detail.items()))
        plain = name == "non_field_errors"
        return _first(inner, path if plain else f"{path}.{name}".lstrip("."))
    if isinstance(detail, list):
        return _first(next((one for one in detail if one), ""), path)
    return path, str(detail)


def with_errors(result: dict, generator: Any, request: Any, public: bool) -> dict:  # noqa: ARG001  a hook
    """Say in the API's description what every operation answers when it refuses."""
    text = {"type": "string"}
    result["components"]["schemas"]["Error"] = {
        "type": "object",
        "description": "Why a request was not done.",
        "required": ["code", "message"],
        "properties": {
            "code": text | {"description": "Stable, for programs."},
            "message": text | {"description": "Found, expected, what to do: for people."},
            "field": text | {"description": "The field at fault, if one is."},
            "errors": {
                "type": "object",
                "additionalProperties": {},
                "description": "Every problem with the shape of the body, by field.",
            },
        },
    }
    schema = {"$ref": "#/components/schemas/Error"}
    result["components"]["responses"] = {
        f"Refused{status}": {
            "description": description,
            "content": {"application/json": {"schema": schema}},
        }
        for status, description in STATUSES.items()
    }
    for operation in _operations(result):
        for status in STATUSES:
            reference = {"$ref": f"#/components/responses/Refused{status}"}
            operation["responses"].setdefault(status, reference)
    return result


def _operations(result: dict) -> list[dict]:
    return [operation for item in result["paths"].values() for operation in item.values()]
