"""The CT under the slices of a reading, as a page asks for it and offers it."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict

from imaging.fusion import CtWindow
from imaging.models import Quantification
from imaging.services import open_ct
from imaging.services.ct_volumes import CtRefused
from imaging.services.viewing import Ct

OPACITY = 60


def asked(query: QueryDict) -> Ct | None:
    """How CT is wanted; None where it is not."""
    if query.get("ct") not in list(CtWindow):
        return None
    return Ct(CtWindow(query["ct"]), _opacity(query) / 100)


def offered(run: Quantification, query: QueryDict) -> dict[str, Any]:
    """The windows of CT, the one in use, and why there is none if it was asked for."""
    found = {
        "ct": "",
        "ct_windows": [(str(one), one.label, one.words) for one in CtWindow],
        "opacity": _opacity(query),
    }
    if wanted := asked(query):
        try:
            open_ct.of_run(run)
        except CtRefused as refusal:
            return found | {"no_ct": refusal.message}
        found["ct"] = str(wanted.window)
    return found


def _opacity(query: QueryDict) -> int:
    text = query.get("opacity", "")
    return min(int(text), 100) if text.isascii() and text.isdecimal() and len(text) < 9 else OPACITY
