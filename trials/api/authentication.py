"""Token log-in for scripts, and for machines that send images."""

from __future__ import annotations

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed

from trials.models import SendingToken, User
from trials.services import accounts, jobs, sending_tokens
from trials.services.errors import Refused


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`."""

    keyword = b"bearer"

    def authenticate(self, request):
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != self.keyword:
            return None
        token = parts[1].decode("ascii", "replace") if len(parts) == 2 else ""
        if sending_tokens.is_one(token):
            return self.machine(request, _in_force(sending_tokens.in_force(token)))
        return self.scoped(_in_force(accounts.user_of_token(token))), token

    def scoped(self, user: User) -> User:
        """The user of a token; one that only reads exports is let in where exports are read."""
        if user.token_scope:
            raise Refused(
                "token-scope",
                f"This token has the scope {user.token_scope}: it reads exports and does nothing "
                "else. Log in for a token without a scope.",
                status=403,
            )
        return user

    def machine(self, request, row: SendingToken) -> tuple[User, SendingToken]:  # noqa: ARG002  others let it in by the request
        """Who a machine is here: nobody, for it sends images and does nothing else."""
        raise Refused(
            "sending-token",
            f"This token sends images to site {row.site} and does nothing else: "
            f"POST them to /dicom-web/sites/{row.site_id}/studies.",
            status=403,
        )

    def authenticate_header(self, request) -> str:  # noqa: ARG002  DRF's signature
        return "Bearer"


class SendingAuthentication(TokenAuthentication):
    """Lets a machine in where images are stored, as the system, which holds no role."""

    def machine(self, request, row):
        if request.method != "POST":
            return super().machine(request, row)
        return jobs.system_user(), row


class ExportAuthentication(TokenAuthentication):
    """Lets tokens in that only read exports, where they are read."""

    def scoped(self, user):
        return user


def _in_force(found):
    if found is None:
        raise AuthenticationFailed("This token is unknown, expired or revoked.")
    return found


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema):  # noqa: ARG002  the extension's signature
        return {"type": "http", "scheme": "bearer"}


class ExportScheme(TokenScheme):
    target_class = ExportAuthentication
    name = "tokenOfAnyScope"


class SendingScheme(TokenScheme):
    target_class = SendingAuthentication
    name = "tokenOfPersonOrMachine"
