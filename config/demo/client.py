"""A user's script: logs in over HTTP and works through the public API."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import requests

BATCH_FILES = 100
BATCH_BYTES = 16 * 2**20
WAIT_SECONDS = 600
ASK_AGAIN_SECONDS = 0.3

# A file that is there, or one that is read when it is sent.
Content = bytes | Path


class DemoFailed(SystemExit):
    """The demo can't go on; the sentence says why."""


class Client:
    """One logged-in user of the API at `address`."""

    def __init__(self, address: str, *, username: str, password: str) -> None:
        self.root = f"{address}/api/v1"
        self.session = requests.Session()
        answer = self.post(
            "/tokens/", {"username": username, "password": password, "label": "demo"}
        )
        self.session.headers["Authorization"] = f"Bearer {answer['token']}"

    def get(self, path: str, **parameters: Any) -> Any:
        return self._answer(self.session.get(self.root + path, params=parameters, timeout=60))

    def find(self, path: str) -> Any | None:
        """What is at an address, or None where nothing is that this user may see."""
        response = self.session.get(self.root + path, timeout=60)
        return None if response.status_code == 404 else self._answer(response)

    def post(self, path: str, body: dict | None = None, **options: Any) -> Any:
        return self._answer(self.session.post(self.root + path, json=body, timeout=120, **options))

    def download(self, path: str) -> bytes:
        response = self.session.get(self.root + path, timeout=120)
        if not response.ok:
            raise DemoFailed(f"{path} answered {response.status_code}: {response.text[:300]}")
        return response.content

    def every(self, path: str, **parameters: Any) -> list[dict]:
        """All rows of a list, page by page."""
        rows: list[dict] = []
        while True:
            page = self.get(path, limit=500, offset=len(rows), **parameters)
            rows += page["results"]
            if not page["next"]:
                return rows

    def upload(
        self, scan: int, files: Iterable[tuple[str, Content]], *, is_deidentified: bool = False
    ) -> Iterator[str | int]:
        """Send the files the server lacks, in batches; says how far it is.

        The last item is the primary key of the transmittal. `is_deidentified` declares that
        identities and dates were taken out at the source.
        """
        content = {hashlib.sha256(_bytes(data)).hexdigest(): data for _, data in files}
        transmittal = self.post(
            f"/scans/{scan}/transmittals/", {"is_deidentified_at_source": is_deidentified}
        )["id"]
        path = f"/transmittals/{transmittal}"
        answer = self.post(f"{path}/missing/", {"sha256s": list(content)})
        missing = answer["missing"]
        if not missing and not answer["held"]:
            yield f"All {len(content)} files were sent before: nothing changed"
            yield self._sent_before(scan)
            return
        sent = len(content) - len(missing)
        for batch in batches((digest, content[digest]) for digest in missing):
            self.post(f"{path}/files/", files=[("files", (d[:12], data)) for d, data in batch])
            sent += len(batch)
            yield f"Uploaded {sent} of {len(content)}"
        self.post(f"{path}/complete/")
        yield transmittal

    def _sent_before(self, scan: int) -> int:
        """The newest transmittal that brought images of a scan, however far they came."""
        rows = self.every("/transmittals/", scan=scan)
        return next(row["id"] for row in rows if row["files"])

    def wait(self, path: str, *, done: Callable[[dict], bool], say: Callable[[str], None]) -> dict:
        """Ask until `done`; says the progress of the job as it changes."""
        end, said = time.monotonic() + WAIT_SECONDS, ""
        while time.monotonic() < end:
            row = self.get(path)
            if done(row):
                return row
            now = (row.get("job") or {}).get("progress", "")
            if now and now != said:
                say(now)
                said = now
            time.sleep(ASK_AGAIN_SECONDS)
        raise DemoFailed(f"{path} did not get further than {row['state']} in {WAIT_SECONDS} s.")

    def _answer(self, response: requests.Response) -> Any:
        if response.ok:
            return response.json() if response.content else None
        raise DemoFailed(
            f"{response.request.method} {response.request.path_url} answered "
            f"{response.status_code}: {response.text[:500]}"
        )


def _bytes(content: Content) -> bytes:
    return content.read_bytes() if isinstance(content, Path) else content


def batches(files: Iterable[tuple[str, Content]]) -> Iterator[list[tuple[str, bytes]]]:
    """Files in groups of limited number and size; one that is larger goes alone."""
    batch: list[tuple[str, bytes]] = []
    size = 0
    for name, content in files:
        data = _bytes(content)
        if batch and (len(batch) == BATCH_FILES or size + len(data) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((name, data))
        size += len(data)
    if batch:
        yield batch
