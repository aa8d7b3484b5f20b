"""Token log-in for scripts."""

from __future__ import annotations

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed

from trials.services import accounts


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`."""

    keyword = b"bearer"

    def authenticate(self, request):
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != self.keyword:
            return None
        token = parts[1].decode("ascii", "replace") if len(parts) == 2 else ""
        user = accounts.user_of_token(token)
        if user is None:
            raise AuthenticationFailed("This token is unknown, expired or revoked.")
        return user, token

    def authenticate_header(self, request) -> str:  # noqa: ARG002  DRF's signature
        return "Bearer"


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema):  # noqa: ARG002  the extension's signature
        return {"type": "http", "scheme": "bearer"}
