"""What Image Type (0008,0008) says of pictures that were made from slices or screens."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

# Vendors write "CSA MPR THICK", "MIN_IP", "VOLUME RENDERED", "FUSION IMAGE"; the terms of
# Derived Pixel Contrast and of (0008,9207) are among them.
_PICTURE = re.compile(
    r"\b(CSA M\w*|CSA 3D|(CURVED )?MPR\w*|M(AX|IN)? ?IP\w*|(MAXIMUM|MINIMUM) (INTENSITY|IP)"
    r"|PROJECTION|FUS(ED|ION)|REFORMAT(TED)?|(VOLUME|SURFACE) REND\w*|VRT?|SSD|SCREEN ?SAVE)\b"
)


def is_picture(image_type: Iterable[str]) -> bool:
    """Whether a value names a projection, reformat, fusion, rendering or screen shot.

    >>> is_picture(["DERIVED", "PRIMARY", "MIN_IP"])
    True
    >>> is_picture(["DERIVED", "PRIMARY", "AXIAL"])
    False
    """
    return any(map(_names_picture, image_type))


@lru_cache(1024)
def _names_picture(kind: str) -> bool:
    return _PICTURE.search(re.sub(r"[_-]+", " ", kind.upper())) is not None
