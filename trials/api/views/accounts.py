"""Logging in as a script, and who one is."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import authenticate
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle

from trials.api import serializers
from trials.api.authentication import ExportAuthentication
from trials.api.base import Endpoint, asked, filtered, operation
from trials.selectors import accounts as selectors
from trials.services import accounts
from trials.services.errors import Refused

# Whoever guesses learns nothing of which half was wrong.
REFUSED = "User name or password is wrong, or this account is not active."


class Tokens(Endpoint):
    permission_classes = [AllowAny]
    throttle_classes = [ScopedRateThrottle]
    throttle_scope = "login"

    @operation(
        "logIn", tag="accounts", asks=serializers.LogIn, answers=serializers.Token, status=201
    )
    def post(self, request: Request) -> Response:
        """A token for a script, for the password of an account. It ends after twelve hours.

        One with a scope only reads exports, and may last longer.

        Five wrong passwords lock the account for the address they came from.
        """
        given = asked(request, serializers.LogIn)
        user = authenticate(request, username=given["username"], password=given["password"])
        if getattr(request, "axes_locked_out", False):
            raise Throttled(wait=settings.AXES_COOLOFF_TIME * 3600)
        if user is None:
            raise AuthenticationFailed(REFUSED)
        token, row = accounts.issue_token(
            user, label=given["label"], scope=given["scope"], days=given["days"]
        )
        body = {"token": token, "expires_at": row.expires_at}
        return self.show(body, serializers.Token, status=201)


class CurrentToken(Endpoint):
    # A token of a scope ends itself too.
    authentication_classes = [ExportAuthentication, SessionAuthentication]

    @operation("logOut", tag="accounts", answers=None, status=204)
    def delete(self, request: Request) -> Response:
        """End the token that this request carries."""
        if not request.auth:
            raise Refused("no-token", "This request carries no token to end.")
        accounts.revoke_token(request.auth, by=request.user)
        return Response(status=204)


class Myself(Endpoint):
    @operation("whoAmI", tag="accounts", answers=serializers.Me)
    def get(self, request: Request) -> Response:
        """The user, with the roles held today."""
        return self.show(request.user, serializers.Me)


class Accounts(Endpoint):
    @operation(
        "listAccounts",
        tag="accounts",
        answers=serializers.Account(many=True),
        filters=serializers.AccountFilter,
    )
    def get(self, request: Request) -> Response:
        """Who holds a role where the user looks after accounts, and who did."""
        rows, wanted = selectors.listed(request.user), filtered(request, serializers.AccountFilter)
        if wanted["is_active"] is not None:
            rows = rows.filter(**wanted)
        return self.page(rows, serializers.Account)


class EndAccount(Endpoint):
    @operation(
        "endAccount", tag="accounts", asks=serializers.Reason, answers=serializers.EndedAccount
    )
    def post(self, request: Request, pk: int) -> Response:
        """End an account with its roles, sessions, tokens and calendar.

        Machines go on sending with tokens that it made: these are named, to be made anew.
        """
        account = selectors.fetched(request.user, "account.end", pk=pk)
        left = accounts.end(account, **asked(request, serializers.Reason), by=request.user)
        body = {"account": selectors.listed(request.user).get(pk=pk), "still_sending": left}
        return self.show(body, serializers.EndedAccount)
