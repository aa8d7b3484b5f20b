"""What a service raises when it will not do what it was asked."""

from __future__ import annotations

from collections.abc import Collection


class Refused(Exception):  # noqa: N818  a refusal is an answer, not a fault
    """An act that the rules or the state of the record do not allow.

    `code` is stable, for programs and tests; `message` tells the user what was found, what
    is expected and what to do. `status` is the HTTP status the edge answers with.
    """

    def __init__(self, code: str, message: str, *, status: int = 409) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class Invalid(Refused):
    """Input that cannot be what it says it is; `field` names where."""

    def __init__(self, field: str, message: str, *, code: str = "invalid") -> None:
        super().__init__(code, message, status=422)
        self.field = field


class Forbidden(Refused):
    """The user has no role that grants this, or came with a token whose scope does not."""

    def __init__(self, permission: str, *, scope: str = "", scopes: Collection[str] = ()) -> None:
        if not scope:
            message = f"Your role in this trial does not include {permission}."
            super().__init__("forbidden", message, status=403)
            return
        needed = f"the scope {' or '.join(sorted(scopes))}" if scopes else "no scope"
        message = (
            f"This token has the scope {scope}, which does not include {permission}. Log in for a "
            f"token of {needed}."
        )
        super().__init__("token-scope", message, status=403)


class TooSlow(Refused):
    """A request that did not come as fast as it must; raised where its body is read."""

    def __init__(self, message: str) -> None:
        super().__init__("too-slow", message, status=408)
