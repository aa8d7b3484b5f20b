"""How a page performs an act: once, and with a refusal beside the field it is about."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from trials.forms import ActForm
from trials.models import User
from trials.services.errors import Forbidden, Refused

# Where the session keeps the forms that were sent, and the page each one led to.
SENT = "sent_forms"
KEPT = 20

form_methods = require_http_methods(["GET", "HEAD", "POST"])


def sent(request: HttpRequest) -> QueryDict | None:
    """What a form is bound to: nothing as long as it is only shown."""
    return request.POST if request.method == "POST" else None


def perform(request: HttpRequest, form: ActForm, act: Callable[[dict], str]) -> HttpResponse | None:
    """Do `act` with the values of a form that was sent, and go where it says.

    None if there is nothing to do yet, or something to correct in the form.
    """
    if request.method != "POST" or not form.is_valid():
        return None
    try:
        return redirect(once(request, lambda: act(form.cleaned_data)))
    except Forbidden:
        raise
    except Refused as refusal:
        form.refuse(refusal)
        return None


def once(request: HttpRequest, act: Callable[[], str]) -> str:
    """Do `act` for one showing of a form; sent again, the form leads where it led first."""
    submission = request.POST.get("submission", "")
    if not submission:
        return act()
    with transaction.atomic():
        # The lock on the session's row makes two sendings of one form wait for each other.
        Session.objects.select_for_update().get(pk=request.session.session_key)
        session = type(request.session)(request.session.session_key)
        sent = session.get(SENT, {})
        if submission not in sent:
            sent = dict(list(sent.items())[1 - KEPT :]) | {submission: act()}
            session[SENT] = sent
            session.save()
    return sent[submission]


def form_page(request: HttpRequest, name: str, context: dict) -> HttpResponse:
    """The page of a form: empty, or with what is to be corrected."""
    form = context["form"]
    status = (form.refused_with or 422) if form.errors else 200
    return render(request, name, context | {"submission": fresh_submission()}, status=status)


@dataclass(frozen=True)
class ActPage:
    """What the page of one act says: its title, what it is about, and the words of its button."""

    title: str
    submit: str
    cancel: str
    about: str = ""
    about_address: str = ""
    intro: str = ""
    is_grave: bool = False
    has_file: bool = False


def act_page(request: HttpRequest, form: ActForm, page: ActPage) -> HttpResponse:
    """The page of an act that is no more than its form."""
    return form_page(request, "trials/act.html", {"form": form, "page": page})


def fresh_submission() -> str:
    """The name of one showing of a form."""
    return secrets.token_hex(16)


def rights(user: User, scope: tuple[int, int | None], *permissions: str) -> dict[str, bool]:
    """Which of `permissions` the user holds on rows of that scope; a dot becomes a line."""
    return {name.replace(".", "_"): user.may_for(name, scope) for name in permissions}
