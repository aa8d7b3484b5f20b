"""`kill -9` at every boundary between two steps of the intake, on the way of real images.

A site of its own is started by its command. The test arms the points, sends as a browser, an
uploader of large files and a scanner do, and each time that a process has killed itself looks at
what is there: nothing acknowledged is lost, no series is seen in part. Then the work goes on from
the last step that was finished.

What a lease and a lost message cost in time, test_faults.py shows. Here the rows of what died are
made old, and the sweeper is called.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
import pytest
import requests
from celery import Celery

from config.embedded.supervisor import ROOT
from tests.imaging.conftest import pet_dataset
from tests.imaging.sending import storescu
from tests.imaging.test_intake import a_slice
from tests.imaging.zips import Member, archive
from tests.serving import Serving, served, wait_for
from tests.test_drawing_kill_points import DRAWING
from tests.test_settings import GOOD
from trials.services.fault_points import POINTS

SLICES = 6
BATCH = 2
PIECES = 3
# What the machine may take for one way in; a minute where it has nothing else to do.
SECONDS = 150
# Each way in, and where the processes on it die, at which passing. A job is tried three times.
BROWSER = {
    "receive.bytes-stored": 2,
    "receive.rows-committed": 2,
    "inspect.before-commit": 1,
    "release.file-deidentified": 3,
    "release.before-commit": 1,
    "clear.before-unlink": 1,
    "quantify.before-commit": 1,
    "write_objects.files-written": 1,
}
ARCHIVE = {
    "partial-upload.piece-written": 2,
    "partial-upload.received": 1,
    "inspect.batch-unpacked": 1,
    "inspect.archive-settled": 1,
    "release.batch-written": 1,
    "release.proofs-made": 1,
    "clear.after-unlink": 1,
    "assemble.before-commit": 1,
    "quantify.committed": 1,
    "write_objects.committed": 1,
}
DESTRUCTION = {"destroy.file-removed": 3, "destroy.archive-emptied": 1}
SCANNER = {
    "c-store.journal-written": 3,
    "c-store.filed": 1,
    "receive.completed": 1,
    "inspect.committed": 2,
    "release.committed": 1,
    "clear.committed": 1,
    "assemble.committed": 1,
    "quantify.measured": 1,
}
BEFORE_COMMIT = {
    "inspect.batch-unpacked",
    "inspect.archive-settled",
    "inspect.before-commit",
    "release.file-deidentified",
    "release.batch-written",
    "release.proofs-made",
    "release.before-commit",
    "clear.before-unlink",
    "clear.after-unlink",
    "assemble.before-commit",
    "quantify.measured",
    "quantify.before-commit",
    "write_objects.files-written",
}


def test_every_point_is_in_the_code_once_and_armed_here_once():
    reached = Counter(
        name for path in sources() for name in names_reached(path.read_text(encoding="utf-8"))
    )
    assert reached == Counter(POINTS)
    assert Counter([*BROWSER, *ARCHIVE, *DESTRUCTION, *SCANNER, *DRAWING]) == Counter(POINTS)


def sources() -> list[Path]:
    apps = ("config", "trials", "imaging", "reporting")
    return [path for app in apps for path in (ROOT / app).rglob("*.py")]


def names_reached(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "reach":
            (argument,) = node.args
            yield argument.value


REACHED = """
import django
django.setup()
from trials.services.fault_points import reach
reach("clear.before-unlink")
reach("clear.before-unlink")
print("lives")
"""


@pytest.mark.parametrize(
    ("settings_module", "code"),
    [("test", -signal.SIGKILL), ("dev", 0), ("production", 0)],
)
def test_a_point_kills_under_the_settings_of_tests_alone(tmp_path, settings_module, code):
    (tmp_path / "clear.before-unlink").write_text("2")
    process = subprocess.run(
        [sys.executable, "-c", REACHED],
        env={
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": f"config.settings.{settings_module}",
            "TRIALTRACE_FAULT_POINTS": str(tmp_path),
        }
        | GOOD,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert process.returncode == code, process.stderr
    assert process.stdout == ("" if code else "lives\n")
    assert (tmp_path / "clear.before-unlink").exists() == (code == 0)


@dataclass
class Intake:
    """A running site, the points armed in it, and what was acknowledged to who sends."""

    site: Serving
    points: Path
    port: int
    scene: dict
    celery: Celery
    armed: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)

    def arm(self, points: dict[str, int]) -> None:
        self.armed, self.acknowledged = set(points), set()
        for name, passing in points.items():
            (self.points / name).write_text(str(passing))

    def fired(self) -> set[str]:
        """Points at which something died since the last look."""
        found = {name for name in self.armed if not (self.points / name).exists()}
        self.armed -= found
        return found

    def call(self, method: str, path: str, content_type: str = "", **body) -> requests.Response:
        """As an uploader does: again, until there is an answer."""
        headers = {"Authorization": f"Bearer {self.scene['token']}"}
        if content_type:
            headers["Content-Type"] = content_type
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            try:
                answer = requests.request(
                    method,
                    f"{self.site.state['address']}/api/v1/{path}",
                    headers=headers,
                    timeout=SECONDS,
                    **body,
                )
            except requests.ConnectionError:
                self.look()
                time.sleep(0.2)
                continue
            assert answer.ok or "offset-differs" in answer.text, answer.text
            return answer
        raise AssertionError(f"no answer from {path} within {SECONDS} s")

    def look(self) -> None:
        """What holds at every moment: what was acknowledged is there, and whole series alone."""
        rows = self.site.sql("select sha256 from imaging_receivedfile")
        assert self.acknowledged <= {digest for (digest,) in rows}
        counts = self.site.sql("select count(*) from imaging_instance group by series_id")
        assert {number for (number,) in counts} <= {SLICES}

    def worked(self) -> None:
        """Until all jobs are done, whatever dies on the way."""
        end, called = time.monotonic() + SECONDS, 0.0
        while self.is_armed() or self.waiting():
            assert time.monotonic() < end, (self.armed, self.waiting())
            self.look()
            for name in self.fired():
                self.site.sql(DIED, f"imaging.{name.split('.')[0]}")
            if time.monotonic() > called + 1:
                self.site.sql(LOST)
                self.celery.send_task("trials.tasks.sweep", ignore_result=True)
                called = time.monotonic()
            time.sleep(0.2)
        self.look()

    def state(self, transmittal: int) -> str:
        ((state,),) = self.site.sql(
            "select state from imaging_transmittal where id = %s", transmittal
        )
        return state

    def is_armed(self) -> bool:
        return any(self.points.iterdir())

    def waiting(self) -> list[tuple]:
        return self.site.sql("select id, kind, state, error from trials_job where state <> 'done'")

    def attempts(self, transmittal: int) -> dict[str, list[int]]:
        """How often each job of a transmittal and of its series was begun."""
        found: dict[str, list[int]] = {}
        for kind, number in self.site.sql(ATTEMPTS, transmittal, transmittal):
            found.setdefault(kind.removeprefix("imaging."), []).append(number)
        return found


DIED = """
update trials_job set heartbeat_at = heartbeat_at - interval '1 hour'
where kind = %s and state = 'running' returning id
"""
LOST = """
update trials_job set not_before = not_before - interval '1 hour'
where state = 'queued' returning id
"""
ATTEMPTS = """
select kind, attempts from trials_job
where (arguments->>'transmittal')::int = %s or (arguments->>'series')::int in (
    select id from imaging_series where transmittal_id = %s)
order by id
"""
SCANS = """
import json

from imaging.models import DicomNode
from tests import factories
from trials.models import Membership, Site, Tracer
from trials.roles import Role
from trials.services import accounts, jobs

site = Site.objects.get(trial__identifier="FAULTS")
by = Membership.objects.get(site=site, role=Role.COORDINATOR).user
with factories.framed():
    Tracer.objects.filter(version__trial=site.trial).update(
        radionuclide="F-18", name="[18F]FDG"
    )
    DicomNode.objects.create(
        site=site, called_ae_title="FAULTS", registered_by=jobs.system_user()
    )
scans = [factories.make_scan(factories.make_enrolled(site, by=by), by=by).pk for _ in range(3)]
token, _ = accounts.issue_token(by, label="uploader")
print(json.dumps({"scans": scans, "token": token}))
"""


@pytest.fixture(scope="module")
def running(dcmtk, tmp_path_factory) -> Iterator[Intake]:
    points = tmp_path_factory.mktemp("points")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with served(
        DJANGO_SETTINGS_MODULE="config.settings.test",
        TRIALTRACE_FAULT_POINTS=str(points),
        TRIALTRACE_STORESCP_PORT=str(port),
    ) as site:
        scene = json.loads(site.python(SCANS))
        broker = Celery(broker=site.state["environment"]["CELERY_BROKER_URL"])
        yield Intake(site, points, port, scene, broker)
        broker.close()


@pytest.fixture
def intake(running) -> Iterator[Intake]:
    yield running
    for path in running.points.iterdir():
        path.unlink()


def images(patient: str) -> list[bytes]:
    """The slices of one series, each with pixels of its own."""
    found = []
    for number in range(1, SLICES + 1):
        ds = pet_dataset()
        ds.NumberOfSlices = SLICES
        ds.StudyInstanceUID, ds.SeriesInstanceUID = f"1.2.{patient}", f"1.2.{patient}.1"
        found.append(
            a_slice(
                ds,
                number,
                SOPInstanceUID=f"1.2.{patient}.1.{number}",
                PatientID=f"MRN-{patient}",
            )
        )
    return found


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def pixels(contents) -> Counter:
    return Counter(pydicom.dcmread(io.BytesIO(one)).PixelData for one in contents)


def opened(intake: Intake, scan: int) -> int:
    return intake.call("POST", f"scans/{scan}/transmittals/", json={}).json()["id"]


@pytest.mark.faults
def test_what_a_browser_sends_goes_on_from_the_last_finished_step(intake):
    sent = images("71")
    transmittal = opened(intake, intake.scene["scans"][0])
    intake.arm(BROWSER)
    for at in range(0, SLICES, BATCH):
        batch = sent[at : at + BATCH]
        files = [("files", ("IM.dcm", one)) for one in batch]
        intake.call("POST", f"transmittals/{transmittal}/files/", files=files)
        intake.acknowledged |= {digest(one) for one in batch}
        for one in batch:
            assert quarantined(intake, one) == one
    intake.call("POST", f"transmittals/{transmittal}/complete/")
    intake.worked()
    require_whole(intake, transmittal, sent, BROWSER)


@pytest.mark.slow
@pytest.mark.faults
def test_an_archive_in_pieces_goes_on_from_the_last_finished_step(intake):
    sent = images("72")
    packed = archive([Member(f"IM{n}", one) for n, one in enumerate(sent)])
    transmittal = opened(intake, intake.scene["scans"][1])
    intake.arm(ARCHIVE)
    announced = {"sha256": digest(packed), "size": len(packed)}
    path = f"transmittals/{transmittal}/partial-uploads/"
    upload = intake.call("POST", path, json=announced).json()["id"]
    length = len(packed) // PIECES + 1
    while (have := held(intake, upload)) < len(packed):
        put(intake, upload, have, packed[have : have + length])
    intake.acknowledged = {digest(packed)}
    intake.call("POST", f"transmittals/{transmittal}/complete/")
    intake.worked()
    intake.acknowledged |= set(map(digest, sent))
    require_whole(intake, transmittal, sent, ARCHIVE)
    require_destroyed(intake, transmittal)


@pytest.mark.slow
@pytest.mark.faults
def test_what_a_scanner_sends_goes_on_from_the_last_finished_step(intake, tmp_path):
    sent = images("73")
    paths = [tmp_path / f"{n}.dcm" for n in range(SLICES)]
    for path, content in zip(paths, sent, strict=True):
        path.write_bytes(content)
    intake.arm(SCANNER)
    waiting = paths
    while waiting:
        done = storescu(intake.port, waiting, called="FAULTS").acknowledged
        waiting = [path for path in waiting if path not in done]
    transmittal = wait_for(lambda: filed(intake), SECONDS)
    intake.call("POST", f"transmittals/{transmittal}/complete/")
    wait_for(lambda: intake.state(transmittal) == "quarantined", SECONDS)
    scan = {"scan": intake.scene["scans"][2], "reason": "The only one on that day."}
    intake.call("POST", f"transmittals/{transmittal}/assign/", json=scan)
    intake.worked()
    require_whole(intake, transmittal, sent, SCANNER)


def filed(intake: Intake) -> int:
    """The transmittal that holds all that was sent by C-STORE, once it does."""
    intake.look()
    intake.fired()
    rows = intake.site.sql(FILED, SLICES)
    return rows[0][0] if rows else 0


FILED = """
select transmittal_id from imaging_receivedfile
where transmittal_id in (select id from imaging_transmittal where source = 'store')
group by transmittal_id having count(*) = %s
"""


def held(intake: Intake, upload: int) -> int:
    return intake.call("GET", f"partial-uploads/{upload}/").json()["offset"]


def put(intake: Intake, upload: int, offset: int, piece: bytes) -> None:
    """One piece; sent again after a lost answer, its offset is another than what has come."""
    intake.call(
        "PUT",
        f"partial-uploads/{upload}/?offset={offset}",
        data=piece,
        content_type="application/octet-stream",
    )


def quarantined(intake: Intake, content: bytes) -> bytes:
    name = digest(content)
    return (intake.site.folder / "storage" / "quarantine" / name[:2] / name).read_bytes()


def require_whole(
    intake: Intake, transmittal: int, sent: list[bytes], points: dict[str, int]
) -> None:
    """At the end: all points were passed, each image is there once, and nothing is left over."""
    assert intake.state(transmittal) == "quantified"
    rows = intake.site.sql(RELEASED, transmittal)
    assert len(rows) == SLICES
    place = intake.site.folder / "storage" / "archive"
    released = [(place / name[:2] / name).read_bytes() for (name,) in rows]
    assert pixels(released) == pixels(sent)
    assert {digest(one) for one in released} == {name for (name,) in rows}
    died = Counter(name.split(".")[0] for name in points if name in BEFORE_COMMIT)
    assert {kind: max(numbers) for kind, numbers in intake.attempts(transmittal).items()} == {
        kind: 1 + died[kind] for kind in ("inspect", "release", "clear", "assemble", "quantify")
    }
    require_nothing_left_over(intake)


RELEASED = """
select instance.sha256 from imaging_instance instance
join imaging_receivedfile file on file.id = instance.received_file_id
where file.transmittal_id = %s
"""
MADE_OF_THEM = """
select distinct made.sha256 from (
    select quantification_id, sha256 from imaging_dicomobject
    union all select quantification_id, sha256 from imaging_picture
) made
join imaging_quantification run on run.id = made.quantification_id
join imaging_instance instance on instance.series_id = run.series_id
join imaging_receivedfile file on file.id = instance.received_file_id
where file.transmittal_id = %s
"""
FSCK = """
from django.core.management import call_command

from imaging.services import partial_uploads
from imaging.storage import spool

partial_uploads.sweep()
spool.sweep()
call_command("fsck")
"""


def require_nothing_left_over(intake: Intake) -> None:
    """No file without its row, no row without its file: also none that is not young any more."""
    storage = intake.site.folder / "storage"
    for path in storage.rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))
    assert intake.site.python(FSCK) == "All as recorded.\n"
    assert [path for path in (storage / "quarantine").rglob("*") if path.is_file()] == []


def require_destroyed(intake: Intake, transmittal: int) -> None:
    """The patient wishes the images destroyed: killed on the way, nothing of them stays."""
    place = intake.site.folder / "storage" / "archive"
    released = [name for (name,) in intake.site.sql(RELEASED, transmittal)]
    made = [name for (name,) in intake.site.sql(MADE_OF_THEM, transmittal)]
    files = [place / name[:2] / name for name in released + made]
    assert len(released) == SLICES
    assert all(path.is_file() for path in files)
    intake.arm(DESTRUCTION)
    intake.site.python(WITHDRAWAL.format(transmittal=transmittal))
    intake.celery.send_task("imaging.tasks.destroy_due", ignore_result=True)
    intake.worked()
    assert not any(path.exists() for path in files)
    ((number,),) = intake.site.sql("select files from imaging_destruction")
    assert number == len(files)
    require_nothing_left_over(intake)


WITHDRAWAL = """
from imaging.models import Transmittal
from trials.services import withdrawals

row = Transmittal.objects.get(pk={transmittal})
withdrawals.record(
    row.scheduled_scan.patient,
    extent="destroy",
    initiative="patient",
    withdrawn_at=row.site.today().isoformat(),
    text="no more",
    by=row.sent_by,
)
"""
