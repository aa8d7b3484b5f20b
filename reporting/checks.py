"""What `manage.py check` says of the settings of exports."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from reporting import signing

SIGNING_KEY = "reporting.E001"


@register()
def signing_key(**_: Any) -> list[CheckMessage]:
    """A key that is named has to be one that exports can be signed with."""
    path = settings.EXPORT_SIGNING_KEY
    if path is None:
        return []
    try:
        signing.key(path)
    except signing.SigningKeyError as error:
        return [
            Error(
                f"TRIALTRACE_EXPORT_SIGNING_KEY: {error}.",
                hint="openssl genpkey -algorithm ed25519 -out FILE writes one, for the user of "
                "the workers alone.",
                id=SIGNING_KEY,
            )
        ]
    return []
