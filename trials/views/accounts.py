"""Accounts: who may log in and in which roles, and the end of one."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from trials.forms import AccountEndForm
from trials.selectors import accounts as selectors
from trials.services import accounts as services
from trials.views.acts import form_methods, form_page, perform, sent

STATES = {"active": "Active", "ended": "Ended", "all": "All"}


@require_safe
def accounts(request: HttpRequest) -> HttpResponse:
    """Who holds a role where the user looks after accounts, and who did."""
    state = request.GET.get("state", "")
    state = state if state in STATES else "active"
    rows = selectors.listed(request.user)
    if state != "all":
        rows = rows.filter(is_active=state == "active")
    page = Paginator(rows, 25).get_page(request.GET.get("page"))
    may_end = request.user.may("account.end")
    context = {"page": page, "state": state, "states": STATES.items(), "may_end": may_end}
    return render(request, "trials/accounts.html", context)


@form_methods
def account_end(request: HttpRequest, pk: int) -> HttpResponse:
    """End an account, having seen what ends with it."""
    account = selectors.fetched(request.user, "account.end", pk=pk)
    form = AccountEndForm(sent(request))

    def act(found: dict) -> str:
        left = services.end(account, reason=found["reason"], by=request.user)
        messages.success(request, f"The account of {account} has ended.")
        for token in left:
            messages.warning(
                request,
                f"The token of {token} at site {token.site.code} of {token.site.trial} was made by "
                "this account and still sends: revoke it and make another.",
            )
        return reverse("accounts")

    context = {"form": form, "account": account, "opened": selectors.opened(account)}
    done = perform(request, form, act)
    return done or form_page(request, "trials/account_end.html", context)
