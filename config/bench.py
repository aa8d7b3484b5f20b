"""What it costs, measured side by side in one run: `python -m config.bench`.

Two ways of the same work take turns, so that whatever else the machine does hits both; what
counts is the ratio of their medians. Below, how the cost grows with the work: the exponent is
1 where twice the work takes twice the time.
"""

from __future__ import annotations

import hashlib
import json
import operator as operator_module
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pydicom
import SimpleITK
from django.conf import settings
from numpy.typing import NDArray

from config import s3_server
from config.demo import cohort
from config.embedded.postgres import OWNER, RUNTIME, EmbeddedPostgres
from imaging import acceptance, pixels, suv
from imaging import headers as headers_module
from imaging import volume as volume_module
from imaging.headers import pet_header
from imaging.services.parser import Parser
from imaging.storage.bucket import AT_ONCE, Bucket
from imaging.storage.cache import Cache
from imaging.storage.folder import Folder
from imaging.storage.places import whole
from trials import eligibility, protocol, readings, spans

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 5
ROWS = 5000
FILES = 100
PATIENTS = 1000

Work = Callable[[], object]


def main() -> int:
    print(f"{'':54}{'ours':>11}{'instead':>11}{'ratio':>8}")
    files = slices()
    side_by_side(
        f"{FILES} files in one parsing process, against one each",
        lambda: inspected(files),
        lambda: inspected_one_by_one(files[:5]),
        parts=FILES / 5,
    )
    side_by_side(
        f"{FILES} files outside, against parsing in our own process",
        lambda: inspected(files),
        lambda: [acceptance.verdict_on(pydicom.dcmread(BytesIO(data))) for data in files],
    )
    sending(files)
    reading()
    storing(files)
    patients = screened(PATIENTS)
    criteria = twenty_criteria()
    side_by_side(
        f"{PATIENTS} patients x 20 criteria, against calculated fields",
        lambda: judged(criteria, patients),
        lambda: calculated(criteria, patients),
    )
    with database() as connection:
        for verb in STATEMENTS:
            side_by_side(
                f"{verb} of {ROWS} rows, against no audit trail",
                lambda v=verb: written(connection, v, "audited", ROWS),
                lambda v=verb: written(connection, v, "plain", ROWS),
            )
        print(f"\n{'':54}{'seconds':>26}{'exponent':>10}")
        growth("inspection, by files", (25, 50, 100, 200), lambda n: inspected((files * 2)[:n]))
        growth(
            "eligibility, by patients",
            (250, 500, 1000, 2000),
            lambda n: judged(criteria, (patients * 2)[:n]),
        )
        sizes = (1000, 2000, 4000, 8000)
        growth(
            "audited update, by rows", sizes, lambda n: written(connection, "update", "audited", n)
        )
    ten_thousand = patients * (10_000 // PATIENTS)
    taken = seconds(lambda: judged(criteria, ten_thousand))
    print(f"\n10,000 patients x 20 criteria, as an amendment is tried: {taken:.1f} s, one core")
    # Processes of their own: what is imported here costs memory, and a site is told apart by who
    # started it.
    parts = ("config.bench_exports", "config.bench_quantification", "config.bench_ingest")
    words = ([sys.executable, "-m", part] for part in parts)
    codes = [subprocess.run(one, cwd=ROOT).returncode for one in words]  # noqa: S603  ours
    return next(filter(None, codes), 0)


def sending(files: list[bytes]) -> None:
    """The same files from one storescu to our receiver, and to DCMTK's own."""
    if not (shutil.which("storescu") and shutil.which("storescp")):
        print("C-STORE is not measured: apt-get install dcmtk")
        return
    with tempfile.TemporaryDirectory(prefix="tt-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        paths = [folder / f"{number:04}.dcm" for number in range(len(files))]
        for path, data in zip(paths, files, strict=True):
            path.write_bytes(data)
        with our_receiver(folder) as ours, dcmtk_receiver(folder) as theirs:
            side_by_side(
                f"{len(files)} files by C-STORE, against DCMTK's storescp",
                lambda: sent(ours, paths),
                lambda: sent(theirs, paths),
            )


def sent(port: int, paths: list[Path]) -> None:
    words = ["storescu", "-aet", "BENCH", "-aec", "BENCH", "127.0.0.1", str(port)]
    subprocess.run([*words, *map(str, paths)], check=True)  # noqa: S603  DCMTK's


@contextmanager
def our_receiver(folder: Path) -> Iterator[int]:
    """The port of `manage.py storescp` with a node that anybody here may call."""
    server = EmbeddedPostgres(folder / "pg").start()
    try:
        server.prepare()
        migrate(server)
        environment = os.environ | {
            "DATABASE_URL": server.url(RUNTIME),
            "DJANGO_SETTINGS_MODULE": "config.settings.dev",
            "TRIALTRACE_VAR": str(folder),
        }
        words = [sys.executable, "manage.py"]
        shell = [*words, "shell", "--no-imports", "-c", NODE]
        subprocess.run(shell, env=environment, cwd=ROOT, check=True)  # noqa: S603  ours
        with receiver([*words, "storescp", "--port", "0"], environment) as process:
            yield int(process.stdout.readline().rsplit(":", 1)[1])
    finally:
        server.stop()


@contextmanager
def dcmtk_receiver(folder: Path) -> Iterator[int]:
    """The port of DCMTK's own, once it listens."""
    (folder / "dcmtk").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["storescp", "-od", str(folder / "dcmtk"), str(port)]
    with receiver(words, dict(os.environ)):
        while subprocess.run(["echoscu", "127.0.0.1", str(port)], capture_output=True).returncode:  # noqa: S603, S607  DCMTK's
            time.sleep(0.1)
        yield port


@contextmanager
def receiver(words: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(  # noqa: S603  ours or DCMTK's
        words,
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


NODE = """
from imaging.models import DicomNode
from trials.models import Site, Trial
from trials.services import audit, jobs

by = jobs.system_user()
with audit.action("measured", actor=by, reason="measured"):
    trial = Trial.objects.create(identifier="BENCH", uid_key=b"k" * 32)
    site = Site.objects.create(trial=trial, code="1", name="bench", time_zone="UTC")
    DicomNode.objects.create(site=site, called_ae_title="BENCH", registered_by=by)
"""


def reading() -> None:
    """Single-slice files on disk into a float32 volume of SUV, and their headers into a verdict."""
    for count, size in ((400, 200), (800, 400)):
        with tempfile.TemporaryDirectory(prefix="tt-bench-") as folder:
            paths, headers = series_on_disk(Path(folder), count, size)
            name = f"{count} x {size} x {size} files to SUV"
            ours = lambda p=paths, h=headers: read_by_us(p, h)  # noqa: E731
            side_by_side(f"{name}, against pydicom", ours, lambda p=paths: read_by_pydicom(p))
            side_by_side(f"{name}, against SimpleITK", ours, lambda p=paths: read_by_itk(p))
            side_by_side(f"{name}, against bytes and a product", ours, lambda p=paths: floor(p))
            print(f"{'  peak memory, of the volume':54}{peak(ours, count * size**2 * 4):>11.2f}")
    with tempfile.TemporaryDirectory(prefix="tt-bench-") as folder:
        paths, _ = series_on_disk(Path(folder), 1000, 8)
        side_by_side(
            "1000 headers to a verdict, against pydicom's parsing",
            lambda: suv.assess([pet_header(parsed(BytesIO(path.read_bytes()))) for path in paths]),
            lambda: [parsed(path) for path in paths],
        )


def series_on_disk(
    folder: Path, count: int, size: int
) -> tuple[list[Path], list[headers_module.PetHeader]]:
    """A series of single-slice files with a slope of its own each, and their headers."""
    ds = pydicom.dcmread(BytesIO(slices()[0]))
    ds.Rows = ds.Columns = size
    ds.NumberOfSlices = count
    pixels_ = np.random.default_rng(1).integers(0, 32767, (size, size), dtype=np.int16)
    ds.PixelData = pixels_.tobytes()
    paths, headers = [], []
    for plane in range(count):
        ds.SOPInstanceUID = f"1.2.3.{plane + 1}"
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.InstanceNumber = plane + 1
        ds.ImagePositionPatient = [0, 0, 3 * plane]
        ds.RescaleSlope = f"{0.5 + plane / 1000:.6f}"
        paths.append(folder / f"{plane:04}.dcm")
        ds.save_as(paths[-1])
        headers.append(pet_header(ds))
    return paths, headers


def read_by_us(paths: list[Path], headers: list[headers_module.PetHeader]) -> NDArray[np.float32]:
    """As the product does, which keeps the headers from the day the files came."""
    values = (
        pixels.stored_values(whole(path), header)
        for path, header in zip(paths, headers, strict=True)
    )
    return volume_module.rescaled(headers, values, factor=2.4e-4)


def read_by_pydicom(paths: list[Path]) -> NDArray[np.float32]:
    """The loop of every tutorial."""
    planes = []
    for path in paths:
        ds = pydicom.dcmread(path)
        planes.append(ds.pixel_array * float(ds.RescaleSlope) * 2.4e-4)
    return np.stack(planes).astype(np.float32)


def read_by_itk(paths: list[Path]) -> NDArray[np.float32]:
    """SimpleITK's series reader, which applies the slope of each slice."""
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames([str(path) for path in paths])
    reader.SetOutputPixelType(SimpleITK.sitkFloat32)
    return SimpleITK.GetArrayFromImage(reader.Execute()) * np.float32(2.4e-4)


def floor(paths: list[Path]) -> NDArray[np.float32]:
    """What nothing can beat: the bytes of the files and one multiplication."""
    first = paths[0].read_bytes()
    count = len(first) // 2
    found = np.empty((len(paths), count), np.float32)
    for plane, path in zip(found, paths, strict=True):
        np.multiply(
            np.frombuffer(path.read_bytes()[: 2 * count], np.int16),
            np.float32(2.4e-4),
            out=plane,
            casting="unsafe",
        )
    return found


def peak(work: Work, size: int) -> float:
    """Peak of the memory that Python and numpy asked for, over the size of the result."""
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / size


def parsed(source: Path | BytesIO) -> pydicom.Dataset:
    return pydicom.dcmread(source, stop_before_pixels=True)


def side_by_side(what: str, ours: Work, instead: Work, *, parts: float = 1) -> None:
    """Print medians of both and their ratio; `parts` is what part of the work `instead` did."""
    times: dict[Work, list[float]] = {ours: [], instead: []}
    for _ in range(ROUNDS):
        for work, found in times.items():
            found.append(seconds(work))
    mine, other = (statistics.median(found) for found in times.values())
    other *= parts
    print(f"{what:54}{mine:>9.3f} s{other:>9.3f} s{other / mine:>8.2f}", flush=True)


def growth(what: str, sizes: tuple[int, ...], work: Callable[[int], object]) -> None:
    """Print the times at each size and the slope of their logarithms."""
    rounds = [[seconds(lambda n=n: work(n)) for n in sizes] for _ in range(ROUNDS)]
    medians = [statistics.median(found) for found in zip(*rounds, strict=True)]
    slope, _ = np.polyfit(np.log(sizes), np.log(medians), 1)
    shown = " ".join(f"{t:.3f}" for t in medians)
    print(f"{what:54}{shown:>26}{slope:>10.2f}", flush=True)


def seconds(work: Work) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


# Eligibility: three truths with reasons, or what a calculated field does, which takes silence
# for no, knows no window, no unit and no reason.


def twenty_criteria() -> list[eligibility.Criterion]:
    """The criteria of the trial with the most of them, until there are twenty."""
    schema = json.loads((ROOT / "trials" / "protocol.schema.json").read_text())
    file = ROOT / "trials" / "definitions" / "NCT06125028.yaml"
    stated = protocol.parse(file.read_text(), schema=schema)["criteria"]
    return [
        eligibility.Criterion(
            f"{one['identifier']}-{number}",
            one["category"],
            one["text"],
            one["expression"],
            one.get("applies_to"),
            one["gate"],
        )
        for number, one in enumerate((stated * 2)[:20])
    ]


def screened(number: int) -> list[readings.Record]:
    """Invented people with thirteen facts each."""
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    gate = {"gate": readings.Anchor(spans.moment(now))}
    consent = readings.Consent("1.0", "2026-03-01T08:00+00:00")
    return [
        readings.Record(
            "F" if n % 2 else "M", "1961-04", facts_of(n, now), [consent], gate, UTC, "FDG"
        )
        for n in range(number)
    ]


def facts_of(number: int, now: datetime) -> list[readings.Fact]:
    therapy = {"name": "x", "started_on": "2025-01", "stopped_on": "2025-05"}
    found = {
        "histology.confirmed": (True, ""),
        "diagnosis.code": ("MZL_nodal", ""),
        "therapy.anticancer": ([therapy] if number % 3 else [], ""),
        "creatinine": (0.6 + number % 10 / 10, "mg/dL"),
        "weight": (70.0, "kg"),
        "glucose": (6.0, "mmol/L"),
        "pregnant": (False, ""),
        "breastfeeding": (False, ""),
        "unable_to_tolerate_scan": (False, ""),
        "hysterectomy": (bool(number % 2), ""),
        "contraception": (True, ""),
        "pregnancy_test": ("negative", ""),
        "partner_contraception": (True, ""),
    }
    day = f"2026-03-{1 + number % 9:02d}"
    return [
        readings.Fact(place, name, value, unit, day, now, "laboratory")
        for place, (name, (value, unit)) in enumerate(found.items())
    ]


def judged(criteria: list[eligibility.Criterion], patients: list[readings.Record]) -> None:
    for record in patients:
        eligibility.judge_all(criteria, record)


def calculated(criteria: list[eligibility.Criterion], patients: list[readings.Record]) -> None:
    for record in patients:
        fields = {fact.variable: fact.value for fact in record.facts}
        for criterion in criteria:
            calculated_field(criterion.expression, fields)


def calculated_field(expression: eligibility.Expression, fields: dict[str, Any]) -> bool:
    operator, value = expression["op"], fields.get(expression.get("var", ""))
    if operator in {"all", "any"}:
        answers = (calculated_field(one, fields) for one in expression["of"])
        return all(answers) if operator == "all" else any(answers)
    if operator in {"occurred", "never"}:
        return bool(value) == (operator == "occurred")
    if operator in {"in", "in_any"}:
        return value in expression["value"]
    if operator in {"gt", "ge", "lt", "le"}:
        return value is not None and COMPARE[operator](value, expression["value"])
    return value is True or value == expression.get("value")


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator_module.gt,
    "ge": operator_module.ge,
    "lt": operator_module.lt,
    "le": operator_module.le,
}


# Files: the slices of a phantom, looked into by the process that is locked in.


def slices() -> list[bytes]:
    """DICOM files of the demonstration, as a scanner would send them."""
    case, plan = cohort.CASES[0], cohort.PLANS[0]
    syringe, started = cohort.given(plan, now=datetime(2026, 3, 2, 12, 0, tzinfo=UTC))
    scan = cohort.examination(plan, syringe, started, zone="UTC", uid_source="bench")
    return [data for _, data in islice(cohort.images(case, plan, scan), FILES)]


def inspected(files: list[bytes]) -> None:
    with Parser() as parser:
        for data in files:
            parser.inspect(data)


def inspected_one_by_one(files: list[bytes]) -> None:
    for data in files:
        inspected([data])


# Storage: the same files in a folder, and in a bucket of the tests' server, which is no fast one.


def storing(files: list[bytes]) -> None:
    """Into the store and out again; what is asked of the folder instead is the same."""
    os.environ |= s3_server.CREDENTIALS
    # django-storages asks Django's settings, which nothing else here needs.
    settings.configure()
    server = s3_server.S3Server()
    with tempfile.TemporaryDirectory(prefix="tt-bench-") as name:
        try:
            server.start().bucket("bench")
            folder, copies = Folder(Path(name) / "store"), Cache(Path(name) / "copies", 2**30)
            bucket = Bucket(server.address("bench"), "archive", copies)
            what = f"{len(files)} files"
            side_by_side(
                f"{what} into a bucket and back, against a folder",
                lambda: [bucket.write([one]) for one in files],
                lambda: [folder.write([one]) for one in files],
            )
            digests = [hashlib.sha256(one).hexdigest() for one in files]
            side_by_side(
                f"{what} from copies of the bucket, against a folder",
                lambda: [bucket.read(one) for one in digests * 10],
                lambda: [folder.read(one) for one in digests * 10],
            )
            away = Bucket(bucket.address, "archive", Cache(Path(name) / "none", 0))
            side_by_side(
                f"{what} from the bucket {AT_ONCE} at once, against one by one",
                lambda: away.bring(digests),
                lambda: [away.read(one) for one in digests],
            )
        finally:
            server.stop()


# Rows: two tables that differ in the trigger alone, written by the application's role.


@contextmanager
def database() -> Iterator[psycopg.Connection]:
    """A migrated database for the time being, as durable as a real one."""
    with tempfile.TemporaryDirectory(prefix="tt-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        server = EmbeddedPostgres(Path(name) / "pg").start()
        try:
            server.prepare()
            migrate(server)
            with psycopg.connect(server.url(OWNER)) as owner:
                owner.execute(TABLES)
            with psycopg.connect(server.url(RUNTIME), autocommit=True) as connection:
                yield connection
        finally:
            server.stop()


TABLES = f"""
create table plain (id bigint generated by default as identity primary key, name text, note text);
create table audited (like plain including all);
create trigger audit after insert or update or delete on audited
    for each row execute function trials_audit_row('{{}}');
grant select, insert, update on plain, audited to {RUNTIME};
"""


def migrate(server: EmbeddedPostgres) -> None:
    urls = {"DATABASE_URL": server.url(RUNTIME), "OWNER_DATABASE_URL": server.url(OWNER)}
    words = [sys.executable, "manage.py", "migrate", "--database", "owner", "-v", "0"]
    subprocess.run(words, env=os.environ | urls, cwd=ROOT, check=True)  # noqa: S603  ours


def written(connection: psycopg.Connection, verb: str, table: str, rows: int) -> None:
    frame = '{"actor": 1, "action": "measured", "reason": "measured"}'
    with connection.transaction():
        connection.execute("select set_config('trialtrace.audit', %s, true)", (frame,))
        connection.execute(STATEMENTS[verb].format(table), (rows,))


STATEMENTS = {
    "insert": "insert into {} (name, note) select 'a', 'b' from generate_series(1, %s)",
    "update": "update {} set name = md5(note || random()) where id <= %s",
}


if __name__ == "__main__":
    sys.exit(main())
