"""How the API answers what it refuses: one shape for every error."""

from __future__ import annotations

from rest_framework.response import Response
from rest_framework.views import exception_handler

from trials.services.errors import Refused


def answer(error: Exception, context: dict) -> Response | None:
    if isinstance(error, Refused):
        body = {"code": error.code, "message": error.message}
        if field := getattr(error, "field", ""):
            body["field"] = field
        return Response(body, status=error.status)
    return exception_handler(error, context)
