"""The child process that opens an archive a site sent, locked in before it reads a byte of it.

Started by `imaging.services.archive_reader`, one process for one archive, which is its standard
input: opened to read, and the only file it has. On standard output it answers in frames as the
parsing process does: two lengths, a JSON object, bytes. First it is ready; then comes a frame for
each file of the archive, with its bytes if they were asked for; then the end or the verdict.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from typing import Any

from imaging import archives, confinement

FRAME = struct.Struct(">II")


def main() -> None:
    """Serve the process whose number is the first argument, by the limits in the second."""
    confinement.die_with(int(sys.argv[1]))
    asked = json.loads(sys.argv[2])
    size = os.fstat(0).st_size
    try:
        confinement.confine()
    except confinement.ConfinementError as error:
        send({"refused": str(error)})
        return
    send({"ready": True})
    send(answer(size, archives.Limits(**asked["limits"]), with_bytes=asked["with_bytes"]))


def answer(size: int, limits: archives.Limits, *, with_bytes: bool) -> dict[str, Any]:
    """Send every file, then say how it ended; whatever the archive makes us raise ends here."""
    try:
        for one in archives.contents(read_at, size, limits):
            send({"number": one.number, "kind": one.kind}, one.data if with_bytes else b"")
    except archives.ArchiveError as error:
        return {"code": error.code, "number": error.number}
    # No exception is known to be left; its text could quote a name.
    except Exception:
        return {"code": "archive-damaged", "number": 0}
    return {"end": True}


def read_at(offset: int, length: int) -> bytes:
    os.lseek(0, offset, os.SEEK_SET)
    parts: list[bytes] = []
    while length and (part := os.read(0, length)):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def send(header: dict[str, Any], body: bytes = b"") -> None:
    encoded = json.dumps(header).encode()
    for part in (FRAME.pack(len(encoded), len(body)), encoded, body):
        sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
