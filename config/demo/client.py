"""A user's script: logs in over HTTP and works through the public API."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import requests

BATCH_FILES = 100
BATCH_BYTES = 16 * 2**20
WAIT_SECONDS = 600


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

    def post(self, path: str, body: dict | None = None, **options: Any) -> Any:
        return self._answer(
            self.session.post(self.root + path, json=body, timeout=120, **options)
        )

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

    def upload(self, scan: int, files: Iterable[tuple[str, bytes]]) -> Iterator[int]:
        """Send the files the server lacks, in batches; yields how many it holds by then.

        The last item is the primary key of the transmittal.
        """
        content = {hashlib.sha256(data).hexdigest(): data for _, data in files}
        transmittal = self.post(f"/scans/{scan}/transmittals/")["id"]
        path = f"/transmittals/{transmittal}"
        missing = self.post(f"{path}/missing/", {"sha256s": list(content)})["missing"]
        sent = len(content) - len(missing)
        for batch in _batches((digest, content[digest]) for digest in missing):
            self.post(f"{path}/files/", files=[("files", (d[:12], data)) for d, data in batch])
            sent += len(batch)
            yield sent
        self.post(f"{path}/complete/")
        yield transmittal

    def wait(self, path: str, *, until: set[str], progress: str = "job") -> dict:
        """Ask until the state is one of `until`; shows progress as it changes."""
        end, said = time.monotonic() + WAIT_SECONDS, ""
        while time.monotonic() < end:
            row = self.get(path)
            if row["state"] in until:
                return row
            now = (row.get(progress) or {}).get("progress", "") if progress else ""
            if now and now != said:
                print(f"      {now}", flush=True)
                said = now
            time.sleep(0.3)
        raise DemoFailed(f"{path} did not get further than {row['state']} in {WAIT_SECONDS} s.")

    def _answer(self, response: requests.Response) -> Any:
        if response.ok:
            return response.json() if response.content else None
        raise DemoFailed(
            f"{response.request.method} {response.request.path_url} answered "
            f"{response.status_code}: {response.text[:500]}"
        )


def _batches(files: Iterator[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    while batch := list(islice(files, BATCH_FILES)):
        yield batch
