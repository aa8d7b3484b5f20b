"""Removes who a patient is from an image's header and keeps what a measurement needs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DeidentificationPolicy:
    """How the images of one patient lose their identity."""

    uid_key: bytes
    date_shift_days: int
    trial: str
    site: str
    subject: str


def keyed_digest(value: str, *, key: bytes) -> str:
    raise NotImplementedError
