"""What no address reads: bodies that are compressed, announced longer than it takes, or too slow.

The first two are looked at before any body is read. The forms of pages, the token of a form and
the frameworks would read one to its end first, and keep its files on the disk meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import render

from config.api import FOR_PROGRAMS
from trials.services.errors import Refused, TooSlow

LONGEST_NUMBER = 18


class Bodies:
    """Refuses such a body unread."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        refusal = _refusal(request)
        return _answer(request, refusal) if refusal else self.get_response(request)


class FormTokens(CsrfViewMiddleware):
    """Django's check of a form's token; a form that comes too slowly is refused as a page.

    The check reads the body of every form, before its view is called: what is raised here
    reaches none that makes a page of it.
    """

    def process_view(
        self, request: HttpRequest, callback: Callable, callback_args: tuple, callback_kwargs: dict
    ) -> HttpResponse | None:
        try:
            return super().process_view(request, callback, callback_args, callback_kwargs)
        except TooSlow as refusal:
            return _answer(request, refusal)


def _refusal(request: HttpRequest) -> Refused | None:
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    if coding not in {"", "identity"}:
        sentence = "Send the body as it is, not compressed."
        return Refused("unsupported-encoding", sentence, status=415)
    length, most = request.META.get("CONTENT_LENGTH") or "0", _most(request.path)
    # By its digits first: of more than 4,300 of them Python makes no number.
    if length.isdecimal() and (len(length) > LONGEST_NUMBER or int(length) > most):
        sentence = f"The body has more than {most:,} bytes: send it in smaller ones."
        return Refused("too-big", sentence, status=413)
    return None


def _most(path: str) -> int:
    if path.startswith("/dicom-web/"):
        return settings.STOW_MAXIMUM_BYTES
    return settings.API_MAXIMUM_BYTES if path.startswith("/api/") else settings.PAGE_MAXIMUM_BYTES


def _answer(request: HttpRequest, refusal: Refused) -> HttpResponse:
    if request.path.startswith(FOR_PROGRAMS):
        body = {"code": refusal.code, "message": refusal.message}
        return JsonResponse(body, status=refusal.status)
    return render(request, "config/refused.html", {"refusal": refusal}, status=refusal.status)
