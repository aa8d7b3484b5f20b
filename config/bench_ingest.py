"""Ingest of a PET/CT: STOW-RS until the series are assembled, beside Orthanc's.

`python -m config.bench_ingest`, and a part of `make bench`. Ours is the site as it runs: web
server, worker, PostgreSQL, broker. What we do with an image: hash, keep, look into in a parsing
process, hold against the record, de-identify, prove, archive, assemble. What Orthanc does: parse,
index and keep. The same files go to both in turns, from one client over one connection in bodies
of the same size, and both have each file on disk before they answer.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import requests

from config.demo import cohort, journey
from config.demo.client import Client
from config.embedded.supervisor import ROOT, Stack
from imaging.geometry import Grid
from imaging.phantom_dicom import Subject, ct_files, pet_files
from trials.roles import Role

INSTANCES = 1200
SIZES = (100, 300, 1000, 3000)
ROUNDS = 3
A_BODY = 50
CT_SIZE, PET_SIZE = 512, 200
CT_MM, PET_MM, PLANE_MM, LONGEST_MM = 0.9766, 4.0, 3.0, 1800.0
GOAL_RSS_MB = 500
WAIT_SECONDS = 900.0
LOOK_SECONDS = 0.2
ASK_SECONDS = 0.05
BOUNDARY = "bench-7265"
PLUGIN = "libOrthancDicomWeb.so"
PLUGINS = (Path("/usr/share/orthanc/plugins"), Path("/usr/lib/orthanc"))
HEADERS = {
    "Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}',
    "Accept": "application/dicom+json",
}
# People and their password, which only Django can tell.
PREPARE = """
from config.demo import accounts
from config.management.commands.demo import DEFINITIONS
accounts.prepare(DEFINITIONS)
print(accounts.DEMO_TRIAL, accounts.PASSWORD)
"""

WHAT_EACH_DOES = f"""
  One client sends bodies of {A_BODY} images over one connection of this machine, one after another.
  Ours:    asks who sends; SHA-256, each file and its folder synced, ledger and audit trail in
           PostgreSQL, then answers. Meanwhile and afterwards: parses each file in a locked-in
           process, de-identifies it and writes it anew, proves each series in five ways (another
           parser among them), syncs the archive, assembles the series, clears the originals.
  Orthanc: asks nobody; parses, MD5, each file synced (SyncStorageArea, its default), its main
           attributes in SQLite, then answers. Files stay as they came, nothing is proved.
"""

# Seconds until all were taken, and until the series were assembled.
Times = tuple[float, float]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="tt-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # The database runs as another user where we are root.
        folder.chmod(0o755)
        with our_site(folder / "var") as site, site.memory:
            beside_orthanc(site, folder)
            # That takes a twentieth of the processors: not while a race is on.
            site.memory.is_weighed = True
            growth(site)
        print("\nMost resident memory of a process during ingest, MB")
        for what, peak in sorted(site.memory.peaks.items()):
            print(f"  {what:52}{peak:>9.0f}{'' if peak < GOAL_RSS_MB else '  over the goal'}")
    return 0


def beside_orthanc(site: Site, folder: Path) -> None:
    print(f"\nIngest of a PET/CT of {INSTANCES} instances by STOW-RS{WHAT_EACH_DOES}")
    with orthanc(folder / "orthanc") as theirs:
        if theirs is None:
            print("Orthanc is not measured: apt-get install orthanc orthanc-dicomweb")
        ours_took, theirs_took, megabytes = [], [], 0.0
        for _ in range(ROUNDS):
            visit = site.visit()
            files = pet_ct(INSTANCES, visit)
            megabytes = sum(map(len, files)) / 1e6
            ours_took.append(site.ingested(visit, files))
            if theirs is not None:
                theirs_took.append(seconds_to_send(theirs.address, files))
        spent = site.memory.spent | ({"Orthanc": _seconds(theirs.pid)} if theirs else {})
    taken, assembled = (statistics.median(one) for one in zip(*ours_took, strict=True))
    say("ours, until assembled", assembled, megabytes)
    say("ours, until all were taken", taken, megabytes)
    if theirs_took:
        other = statistics.median(theirs_took)
        say("Orthanc, until all were taken", other, megabytes)
        print(f"  {'speed of ours until assembled, over Orthanc':52}{other / assembled:>9.2f}")
        print(f"  {'speed of ours until taken, over Orthanc':52}{other / taken:>9.2f}")
    print("\nProcessor time, ms an instance")
    for what, seconds in sorted(spent.items()):
        print(f"  {what:52}{1000 * seconds / INSTANCES / ROUNDS:>9.1f}")


def say(what: str, seconds: float, megabytes: float) -> None:
    speed, rate = megabytes / seconds, INSTANCES / seconds
    print(f"  {what:52}{seconds:>9.1f} s{speed:>8.1f} MB/s{rate:>7.0f} instances/s", flush=True)


def growth(site: Site) -> None:
    """Print the times at each size and the slope of their logarithms."""
    times = []
    for count in SIZES:
        visit = site.visit()
        times.append(site.ingested(visit, pet_ct(count, visit))[1])
    slope, _ = np.polyfit(np.log(SIZES), np.log(times), 1)
    shown = ", ".join(f"{n}: {t:.1f} s" for n, t in zip(SIZES, times, strict=True))
    print(f"\nIngest by instances: {shown}; exponent {slope:.2f}", flush=True)


# What is sent.


class Visit:
    """A scheduled scan of a new patient, and the scan as the scanner knows it."""

    def __init__(self, site: Site, number: int) -> None:
        case, plan = cohort.CASES[0], cohort.PLANS[0]
        by, self.number = site.people[Role.COORDINATOR], number
        patient = journey.register(
            by,
            site.people[Role.INVESTIGATOR],
            trial=site.trial,
            person=case.person,
            password=site.password,
        )
        syringe, started = cohort.given(plan, now=datetime.now(UTC))
        place = by.get(f"/trials/{site.trial}/")["sites"][0]
        scans = by.get(f"/sites/{place['id']}/")["planned_scans"]
        scan = next(one for one in scans if one["identifier"] == plan.identifier)
        self.scan = journey.schedule(
            by, patient=patient["id"], planned_scan=scan["id"], at=started
        )["id"]
        self.examination = cohort.examination(
            plan,
            syringe,
            started,
            zone=place["time_zone"],
            uid_source=f"bench {number} {started.isoformat()}",
        )
        self.subject = Subject(
            name=f"Benchmark^Berta^{number}",
            patient_id=f"BENCH-{number:05}",
            birth=date.fromisoformat(case.person.birth),
            sex=case.person.sex_at_birth,
            weight_kg=case.person.weight_kg,
            height_m=case.person.height_cm / 100,
        )


def pet_ct(count: int, visit: Visit) -> list[bytes]:
    """As many CT slices as PET slices: noise, which compresses as badly as a real scan."""
    chance = np.random.default_rng(visit.number)
    half = count // 2
    hounsfield = chance.normal(0, 300, (1, CT_SIZE, CT_SIZE)).astype(np.float32)
    # Below every threshold: what is measured afterwards is no part of this.
    suv = chance.uniform(0, 2, (1, PET_SIZE, PET_SIZE)).astype(np.float32)
    scan = {"subject": visit.subject, "examination": visit.examination}
    return [
        data
        for write, plane, pixel_mm in ((ct_files, hounsfield, CT_MM), (pet_files, suv, PET_MM))
        for _, data in write(
            np.broadcast_to(plane, (half, *plane.shape[1:])),
            grid=_grid((half, *plane.shape[1:]), pixel_mm),
            **scan,
        )
    ]


def _grid(shape: tuple[int, int, int], pixel_mm: float) -> Grid:
    """Of a scan as long as a patient at most, around the axis of the scanner."""
    spacing = (min(PLANE_MM, LONGEST_MM / shape[0]), pixel_mm, pixel_mm)
    z, y, x = (-(n - 1) / 2 * step for n, step in zip(shape, spacing, strict=True))
    return Grid(shape=shape, spacing=spacing, origin=(x, y, z))


def bodies(files: list[bytes]) -> Iterator[bytes]:
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    for start in range(0, len(files), A_BODY):
        parts = b"".join(head + data + b"\r\n" for data in files[start : start + A_BODY])
        yield parts + f"--{BOUNDARY}--\r\n".encode()


def seconds_to_send(address: str, files: list[bytes], **headers: str) -> float:
    begun = time.perf_counter()
    with requests.Session() as session:
        for body in bodies(files):
            answer = session.post(address, data=body, headers=HEADERS | headers, timeout=300)
            if answer.status_code != 200:
                raise SystemExit(f"{address} answered {answer.status_code}: {answer.text[:300]}")
    return time.perf_counter() - begun


# Who takes it.


class Site:
    """The running site, and what it is asked."""

    def __init__(self, stack: Stack, trial: str, password: str) -> None:
        self.stack, self.trial, self.password, self._visits = stack, trial, password, 0
        self.memory = Memory(stack)
        self._database = psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True)
        self.people = {
            role: Client(stack.address, username=role.value, password=password)
            for role in (Role.COORDINATOR, Role.INVESTIGATOR, Role.TECHNOLOGIST)
        }

    def visit(self) -> Visit:
        self._visits += 1
        return Visit(self, self._visits)

    def ingested(self, visit: Visit, files: list[bytes]) -> Times:
        """How long it takes until all were taken and until the series stand."""
        client = self.people[Role.TECHNOLOGIST]
        address = f"{self.stack.address}/dicom-web/scans/{visit.scan}/studies"
        token = str(client.session.headers["Authorization"])
        self.memory.begin()
        begun = time.perf_counter()
        taken = seconds_to_send(address, files, Authorization=token)
        (row,) = client.every("/transmittals/", scan=visit.scan)
        path = f"/transmittals/{row['id']}/"
        client.post(f"{path}complete/")
        self._await_assembly(row["id"], begun)
        assembled = time.perf_counter() - begun
        self.memory.end()
        # Nothing of it runs beside the next: neither its measurement nor the objects of that.
        client.wait(path, done=_is_at_rest, say=lambda _: None)
        while self._told("select exists (select from trials_job where finished_at is null)"):
            time.sleep(LOOK_SECONDS)
        return taken, assembled

    def _await_assembly(self, transmittal: int, begun: float) -> None:
        """Each look at the API takes the processors as long as two images: ask the database."""
        state = "select state from imaging_transmittal where id = %s"
        while (found := self._told(state, transmittal)) not in {"assembled", "quantified"}:
            passed = time.perf_counter() - begun
            if passed > WAIT_SECONDS or found in journey.FINAL_STATES - {"quantified"}:
                raise SystemExit(f"{found} after {passed:.0f} s")
            time.sleep(ASK_SECONDS)

    def _told(self, question: str, *values: object) -> Any:
        return self._database.execute(question, values).fetchone()[0]


def _is_at_rest(row: dict) -> bool:
    return row["state"] == "quantified" or bool(row["message"])


@contextmanager
def our_site(folder: Path) -> Iterator[Site]:
    stack = Stack(folder, say=lambda _: None)
    stack.claim()
    try:
        stack.start()
        words = [sys.executable, "manage.py", "shell", "--no-imports", "-c", PREPARE]
        told = subprocess.run(  # noqa: S603  ours
            words, env=stack.environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
        )
        yield Site(stack, *told.stdout.split())
    finally:
        stack.stop()


@dataclass(frozen=True)
class Other:
    """What takes images too: where, and the number of its process."""

    address: str
    pid: int


@contextmanager
def orthanc(folder: Path) -> Iterator[Other | None]:
    """An Orthanc of our own, with SQLite as it comes; None where none is installed."""
    program = shutil.which("Orthanc")
    plugin = next((found for one in PLUGINS for found in one.glob(f"{PLUGIN}*")), None)
    if program is None or plugin is None:
        yield None
        return
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "HttpPort": port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomServerEnabled": False,
        "SyncStorageArea": True,
        "Plugins": [str(plugin)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    process = subprocess.Popen(  # noqa: S603  Orthanc's
        [program, str(folder / "orthanc.json")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/system", process)
        yield Other(f"http://127.0.0.1:{port}/dicom-web/studies", process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait_for(address: str, process: subprocess.Popen) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            requests.get(address, timeout=5).raise_for_status()
        except requests.RequestException:
            if time.monotonic() > end or process.poll() is not None:
                raise SystemExit("Orthanc did not start.") from None
            time.sleep(LOOK_SECONDS)
        else:
            return


class Memory:
    """What the processes of each kind spent of the processors in all, and held at most.

    Looked at twice a second while something is ingested, memory only where it `is_weighed`:
    measuring the series afterwards takes more, and is no part of it. What a process has told to be
    free the system may take from it at any time, and is not counted.
    """

    def __init__(self, stack: Stack) -> None:
        self.is_weighed = False
        self.peaks: dict[str, float] = defaultdict(float)
        self.spent: dict[str, float] = defaultdict(float)
        self._before: dict[int, float] = {}
        self._last: dict[int, tuple[str, float]] = {}
        self._stack, self._stop = stack, threading.Event()
        self._watching = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def begin(self) -> None:
        self._before = {pid: _seconds(pid) for pid in self._processes()}
        self._watching.set()

    def end(self) -> None:
        self._watching.clear()
        self._note()
        for pid, (kind, seconds) in self._last.items():
            self.spent[kind] += seconds - self._before.get(pid, 0.0)
        self._last.clear()

    def _look(self) -> None:
        while not self._stop.wait(0.5):
            if self._watching.is_set():
                self._note()

    def _note(self) -> None:
        for pid, kind in self._processes().items():
            if self.is_weighed:
                self.peaks[kind] = max(self.peaks[kind], _resident_mb(pid))
            # One that ended since has spent nothing that is known.
            self._last[pid] = kind, max(_seconds(pid), self._last.get(pid, (kind, 0.0))[1])

    def _processes(self) -> dict[int, str]:
        return _below({part.process.pid: part.name for part in self._stack.parts})


def _below(roots: dict[int, str]) -> dict[int, str]:
    """Each process that one of `roots` is, or is an ancestor of, and what kind it is."""
    parents = {int(one.name): _parent(one) for one in Path("/proc").glob("[0-9]*")}
    found = dict(roots)
    # A child may have a smaller number than its parent, once they have gone round.
    while more := [pid for pid in parents if parents[pid] in found and pid not in found]:
        for pid in more:
            is_parser = "imaging.parser_child" in _words(pid)
            found[pid] = "parsing process" if is_parser else found[parents[pid]]
    return found


def _parent(folder: Path) -> int:
    fields = _fields(folder)
    return int(fields[1]) if fields else 0


def _fields(folder: Path) -> list[str]:
    """What proc(5) says of a process from its state on; nothing of one that is gone."""
    try:
        return (folder / "stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def _seconds(pid: int) -> float:
    """Processor time of a process and of its children that ended."""
    return sum(map(int, _fields(Path(f"/proc/{pid}"))[11:15])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> float:
    """Resident memory but for what the process has told to be free."""
    # In its sum over all mappings: to go through them takes a process of 400 MB some milliseconds.
    try:
        told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    sizes = dict(re.findall(r"^(\w+): +(\d+) kB", told, re.MULTILINE))
    return (int(sizes.get("Rss", 0)) - int(sizes.get("LazyFree", 0))) / 1000


if __name__ == "__main__":
    sys.exit(main())
