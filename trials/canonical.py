"""One spelling of a content, and its digest: the same content always has the same SHA-256."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def text(content: Any) -> str:
    """Content as JSON with sorted keys and no blanks.

    >>> text({"b": 1, "a": [True, None]})
    '{"a":[true,null],"b":1}'
    """
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256(content: Any) -> str:
    """SHA-256 of the canonical JSON, in hexadecimal.

    >>> sha256({"a": 1, "b": 2}) == sha256({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(text(content).encode()).hexdigest()
