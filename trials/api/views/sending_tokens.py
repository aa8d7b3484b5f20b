"""Tokens of machines that send images to a site."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from trials import permissions
from trials.api import conduct, serializers
from trials.api.base import Endpoint, asked, operation
from trials.api.views.sites import site_for
from trials.models import SendingToken
from trials.services import sending_tokens


class SendingTokens(Endpoint):
    @operation("listSendingTokens", tag="sites", answers=conduct.SendingToken(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The machines that hold a token of a site, and until when."""
        site = site_for(request, "site.view", pk)
        rows = site.sending_tokens.select_related("site", "issued_by")
        return self.page(rows, conduct.SendingToken)

    @operation(
        "issueSendingToken",
        tag="sites",
        asks=conduct.IssueSendingToken,
        answers=conduct.IssuedSendingToken,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """A token for a machine, shown this once. It sends images to the site, nothing else."""
        site = site_for(request, "sending_token.manage", pk)
        given = asked(request, conduct.IssueSendingToken)
        token, row = sending_tokens.issue(site, by=request.user, **given)
        return self.show({"token": token, "row": row}, conduct.IssuedSendingToken, status=201)


class RevokeSendingToken(Endpoint):
    @operation(
        "revokeSendingToken", tag="sites", asks=serializers.Reason, answers=conduct.SendingToken
    )
    def post(self, request: Request, pk: int) -> Response:
        """Let nothing be sent with a token any more."""
        rows = SendingToken.objects.select_related("site", "issued_by")
        row = permissions.fetched(rows, request.user, "sending_token.manage", pk=pk)
        given = asked(request, serializers.Reason)
        return self.show(sending_tokens.revoke(row, by=request.user, **given), conduct.SendingToken)
