"""A detached signature of an export: Ed25519 (RFC 8032) over the bytes of its SHA256SUMS.

The key is a file of PKCS #8 in PEM, as `openssl genpkey -algorithm ed25519` writes it (RFC 8410).
It is named by the SHA-256 of its public half, as SubjectPublicKeyInfo in DER.
"""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SUFFIX = ".sig"
# A key is a hundred bytes; a larger file is something else.
LARGEST_BYTES = 2**16


class SigningKeyError(ValueError):
    """The file that is to hold the key can't be signed with; `what` says why, not where it lies.

    Who orders exports reads that one: the place of a key is the administrator's to know.
    """

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path} {what}")
        self.what = what


def key(path: Path) -> Ed25519PrivateKey:
    """The private key in a file.

    Raises
    ------
    SigningKeyError
        When it is not there, can't be read, is open to everybody, or is no such key.
    """
    # Only who signs loads it.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _content(path)
    try:
        found = load_pem_private_key(content, password=None)
    except TypeError as error:
        raise SigningKeyError(path, "has a passphrase, which no worker can type") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningKeyError(path, "holds no private key in PEM") from error
    if not isinstance(found, Ed25519PrivateKey):
        raise SigningKeyError(path, "holds a key of another type than Ed25519")
    return found


def fingerprint(key: Ed25519PrivateKey) -> str:
    """What `openssl pkey -in key.pem -pubout -outform DER | sha256sum` gives."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = key.public_key()
    return sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _content(path: Path) -> bytes:
    try:
        # A pipe would let the worker wait.
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise SigningKeyError(path, f"can't be read: {error.strerror}") from error
    try:
        mode = os.fstat(opened).st_mode
        if not stat.S_ISREG(mode):
            raise SigningKeyError(path, "is no file")
        if mode & stat.S_IRWXO:
            raise SigningKeyError(
                path,
                "is open to every user of the machine: chmod o-rwx it, and make another key if "
                "somebody may have read this one",
            )
        return os.read(opened, LARGEST_BYTES)
    finally:
        os.close(opened)
