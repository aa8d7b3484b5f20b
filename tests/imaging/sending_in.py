"""Images sent to the running site as its users and their machines send them."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import requests

from config.embedded.supervisor import ROOT, WORKER_PROCESSES, Stack
from imaging.models import Transmittal
from tests import factories
from tests.imaging import threats
from tests.imaging.test_dicomweb import Sender
from tests.imaging.test_stow import TYPE, body
from tests.serving import children, wait_for
from trials.models import Job, ScheduledScan

State = Transmittal.State
SETTLED = {State.QUARANTINED, State.REJECTED, State.ASSEMBLED, State.QUANTIFIED}
SECONDS = 180


class Intake(Sender):
    """A coordinator who sends as the page and as a scanner's archive do."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.session = requests.Session()
        self.session.headers.update(self.headers)
        self.statuses: Counter[int] = Counter()
        self.session.hooks["response"].append(self._count)

    def _count(self, response: requests.Response, **_more) -> None:
        self.statuses[response.status_code] += 1

    def ask(self, path: str, **more) -> dict:
        response = self.session.post(f"{self.address}/api/v1/{path}", timeout=60, **more)
        assert response.ok, response.text
        return response.json()

    def upload(
        self,
        batches: Sequence[Sequence[bytes]],
        *,
        scan: ScheduledScan | None = None,
        at_source: bool = False,
    ) -> Transmittal:
        """Received in whole; `at_source` says that names and dates were taken out before."""
        opened = {"is_deidentified_at_source": at_source}
        pk = self.ask(f"scans/{(scan or self.scan).pk}/transmittals/", json=opened)["id"]
        for batch in batches:
            named = [("files", (f"{threats.SCRIPT}{n}.dcm", data)) for n, data in enumerate(batch)]
            self.ask(f"transmittals/{pk}/files/", files=named)
        self.ask(f"transmittals/{pk}/complete/", json={})
        return Transmittal.objects.get(pk=pk)

    def store(self, files: Sequence[bytes]) -> requests.Response:
        """Over STOW-RS, to the scan."""
        return self.session.post(
            f"{self.address}/dicom-web/scans/{self.scan.pk}/studies",
            data=body(*files),
            headers={"Content-Type": TYPE},
            timeout=60,
        )

    def another_scan(self) -> ScheduledScan:
        patient = factories.make_enrolled(self.site, by=self.user)
        return factories.make_scan(patient, by=self.user)


def at_rest(row: Transmittal) -> bool:
    row.refresh_from_db()
    open_ones = Job.objects.filter(state__in=["queued", "running"])
    return row.state in SETTLED and not open_ones.filter(arguments__transmittal=row.pk).exists()


def wait_until_at_rest(rows: Sequence[Transmittal]) -> None:
    for row in rows:
        wait_for(lambda row=row: at_rest(row), SECONDS)
    wait_for(lambda: not Job.objects.filter(state__in=["queued", "running"]).exists(), SECONDS)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Surroundings:
    """The site around its store: files, processes and logs."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.var = stack, stack.folder
        (worker,) = [one for one in stack.parts if one.name == "worker"]
        wait_for(lambda: len(children(worker.process.pid)) >= WORKER_PROCESSES, 60)
        self.files = self._files()
        self.processes = self._processes()
        self.lengths = {log: log.stat().st_size for log in stack.logs.glob("*.log")}

    def _files(self) -> set[Path]:
        """Below the code and the site's folder, and what is new where hostile paths lead."""
        ours = {"pg", "vk", "valkey", "storage", "cache", "logs", "run"}
        below = [path for path in self.var.iterdir() if path.name not in ours]
        code = [ROOT / name for name in ("config", "imaging", "reporting", "tests", "trials")]
        found = {one for folder in (*below, *code) for one in (folder, *folder.rglob("*"))}
        found |= {*ROOT.iterdir(), *Path("/").iterdir(), *Path("/etc").glob("cron.d/*")}
        named = Path(tempfile.gettempdir()).glob(f"*{threats.CANARY}*")
        return {one for one in (*found, *named) if "__pycache__" not in one.parts}

    def _processes(self) -> dict[str, list[int]]:
        """Of each part its process and those it works with."""
        return {
            one.name: [one.process.pid, *children(one.process.pid)]
            for one in self.stack.parts
            if one.name in {"web", "worker"}
        }

    @property
    def new_files(self) -> set[Path]:
        return self._files() - self.files

    @property
    def same_processes(self) -> bool:
        """Whether nobody has ended since."""
        return self._processes() == self.processes

    @cached_property
    def logged(self) -> str:
        """What the parts said since."""
        return "".join(
            log.read_bytes()[self.lengths.get(log, 0) :].decode("utf-8", "replace")
            for log in self.stack.logs.glob("*.log")
        )
