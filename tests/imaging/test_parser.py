"""The parsing process: locked in, killed from outside, one verdict for every file."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRBigEndian, RLELossless

from imaging import confinement
from imaging.deidentification import DeidentificationPolicy
from imaging.elements import DEEPEST
from imaging.headers import PetHeader
from imaging.parser_child import encoded, examined, without_known
from imaging.pixels import stored_values
from imaging.services.parser import Parser, ParserError, _whole
from tests.imaging import threats

ROOT = Path(__file__).resolve().parents[2]
POLICY = DeidentificationPolicy(b"k" * 32, -1000, "DEMO", "PL-01", "PL-01-007")


@pytest.fixture(scope="module")
def parser():
    with Parser() as parser:
        yield parser


@pytest.fixture
def image(dataset):
    """The ordinary slice with pixels 0 to 19."""
    dataset.PatientName, dataset.PatientID = "ZZCANARY^Name", "MRN-0815"
    dataset.PixelData = np.arange(20, dtype="<i2").tobytes()
    return dataset


# What it does.


def test_ordinary_slice_is_accepted(parser, image):
    found = parser.inspect(encoded(image))
    assert (found.verdict, found.facts["patient_id"]) == ("accepted", "MRN-0815")


def test_pixels_that_stay_what_they_were_are_not_sent_back(image):
    original = encoded(image)
    told, written = examined(original, POLICY)
    _, rest = without_known(told, written)
    assert len(rest) == len(written) - len(image.PixelData)
    assert _whole(rest, original, told["made"]["taken"]) == written


@pytest.mark.parametrize("taken", [(-1, 4, 0), (0, -4, 0), (0, 4, -1), (6, 5, 0), (0, 4, 3)])
def test_a_process_can_not_claim_what_the_original_does_not_have(taken):
    assert _whole(b"ab", b"0123456789", (0, 4, 2)) == b"ab0123"
    with pytest.raises(ValueError, match="is not"):
        _whole(b"ab", b"0123456789", taken)


def test_released_file_is_the_image_without_the_patient(parser, image):
    released = parser.deidentify(encoded(image), POLICY)
    again = pydicom.dcmread(io.BytesIO(released.dicom))
    assert (again.PatientID, again.PatientName) == ("PL-01-007", "PL-01-007")
    assert again.pixel_array.ravel().tolist() == list(range(20))
    assert released.header["sop_instance_uid"] == again.SOPInstanceUID
    assert "PatientName" in released.report["replaced"]
    assert b"CANARY" not in released.dicom


@pytest.mark.requirement("R75")
def test_preamble_and_trailing_bytes_do_not_survive(parser, image):
    data = b"MZ" + b"\x90" * 126 + encoded(image)[128:]
    assert parser.inspect(data).verdict == "accepted"
    assert parser.deidentify(data, POLICY).dicom[:132] == bytes(128) + b"DICM"


@pytest.mark.requirement("R99")
@pytest.mark.parametrize("syntax", [RLELossless, ExplicitVRBigEndian])
def test_pixels_of_other_encodings_are_the_same_pixels(parser, image, syntax):
    if syntax == RLELossless:
        image.compress(syntax, encoding_plugin="pydicom")
    else:
        image.file_meta.TransferSyntaxUID = syntax
        image.PixelData = np.arange(20, dtype=">i2").tobytes()
    data = encoded(image)
    assert parser.inspect(data).verdict == "accepted"
    released = parser.deidentify(data, POLICY)
    again = pydicom.dcmread(io.BytesIO(released.dicom))
    assert again.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert again.pixel_array.ravel().tolist() == list(range(20))


@pytest.mark.requirement("R83")
def test_same_bytes_get_the_same_verdict_and_the_same_file(parser, image):
    data = encoded(image)
    assert parser.inspect(data) == parser.inspect(data)
    assert parser.deidentify(data, POLICY) == parser.deidentify(data, POLICY)


@pytest.mark.requirement("R100")
def test_file_that_can_not_be_deidentified_gives_an_error_and_no_bytes(parser, image):
    with pytest.raises(ParserError, match="The file could not be read"):
        parser.deidentify(encoded(image)[:700], POLICY)


@pytest.mark.reference
def test_pixels_of_a_real_series_are_read_where_they_lie(parser, reference_data):
    """Also of the same slices compressed, against pydicom on the originals."""
    folder = reference_data / "pet_series" / "ge_sts_001_raw" / "image"
    files = sorted(folder.glob("*.dcm"))
    assert len(files) == 267
    for number, file in enumerate(files[::6]):
        original = pydicom.dcmread(file)
        values, data = original.pixel_array, file.read_bytes()
        if number % 10 == 0:
            original.compress(RLELossless, encoding_plugin="pydicom")
            data = encoded(original)
        released = parser.deidentify(data, POLICY)
        header = PetHeader.from_json(released.header)
        assert np.array_equal(stored_values(released.dicom, header, released.pixels), values)


# How it is locked in. The probe runs the same with and without the lock.

PROBE = """
import errno, json, mmap, os, socket, sys
sys.path.insert(0, sys.argv[1])
from imaging import confinement

database, parent = sys.argv[2], os.getppid()

def connect(family, address):
    with socket.socket(family) as one:
        one.settimeout(1)
        one.connect(address)

def child():
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)

def tried(act):
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

acts = {
    "database": lambda: connect(socket.AF_UNIX, database),
    "network": lambda: socket.socket(socket.AF_INET).close(),
    "read a file": lambda: open("/etc/hostname").close(),
    "write a file": lambda: open(os.devnull, "w").close(),
    "list a folder": lambda: os.listdir("/"),
    "start a process": child,
    "signal its parent": lambda: os.kill(parent, 0),
    "take much memory": lambda: mmap.mmap(-1, 2 * confinement.MEMORY_BYTES).close(),
}
if sys.argv[3] == "confined":
    confinement.confine()
found = {name: tried(act) for name, act in acts.items()}
print(json.dumps(found | {"environment": dict(os.environ)}))
"""


def probe(database: str, how: str, **options) -> dict[str, object]:
    command = [sys.executable, "-c", PROBE, str(ROOT), database, how]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60, **options)
    return json.loads(done.stdout)


@pytest.fixture
def database_socket(settings) -> str:
    default = settings.DATABASES["default"]
    if not default["HOST"].startswith("/"):
        pytest.skip("the database of this run has no socket in the file system")
    return f"{default['HOST']}/.s.PGSQL.{default['PORT'] or 5432}"


LOCKED = {
    "database": "EPERM",
    "network": "EPERM",
    "read a file": "EPERM",
    "write a file": "EPERM",
    "list a folder": "EPERM",
    "start a process": "EPERM",
    "signal its parent": "EPERM",
    "take much memory": "ENOMEM",
    "environment": {},
}


@pytest.mark.requirement("R72")
def test_confined_process_reaches_neither_database_nor_network_nor_files(database_socket):
    found = probe(database_socket, "confined")
    assert {name: found[name] for name in LOCKED} == LOCKED


def test_the_probe_reaches_them_where_nothing_confines_it(database_socket):
    found = probe(database_socket, "free")
    assert found.pop("environment")
    assert set(found.values()) == {"done"}
    assert found.keys() == LOCKED.keys() - {"environment"}


@pytest.mark.requirement("R72")
def test_the_running_child_is_under_that_filter_with_nothing_open_but_its_pipes(parser, image):
    parser.inspect(encoded(image))
    process = Path(f"/proc/{parser.pid}")
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
    # 2 is SECCOMP_MODE_FILTER of linux/seccomp.h.
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
    assert sorted(one.name for one in (process / "fd").iterdir()) == ["0", "1", "2"]
    assert (process / "environ").read_bytes() == b""
    assert (process / "cwd").resolve() == Path("/")
    limits = (process / "limits").read_text()
    assert f"Max address space         {confinement.MEMORY_BYTES} " in limits
    assert "Max processes             0 " in limits
    assert "Max file size             0 " in limits


def test_every_thread_of_the_running_child_is_filtered(parser):
    tasks = Path(f"/proc/{parser.pid}/task").iterdir()
    assert all("Seccomp:\t2" in (task / "status").read_text() for task in tasks)


def test_machine_without_known_system_calls_is_not_confined_by_guess():
    with pytest.raises(confinement.ConfinementError, match="this machine is riscv64"):
        confinement.filter_program("riscv64")


# How it ends.


@pytest.mark.requirement("R72")
def test_file_that_takes_too_long_is_rejected_and_the_next_gets_a_new_process(image):
    with Parser(file_seconds=2) as parser:
        first = parser.pid
        # A stopped process reads nothing, like one that loops.
        os.kill(first, signal.SIGSTOP)
        found = parser.inspect(encoded(image))
        assert (found.verdict, found.code) == ("rejected", "parser-timeout")
        assert not Path(f"/proc/{first}").exists()
        assert parser.inspect(encoded(image)).verdict == "accepted"
        assert parser.pid != first


@pytest.mark.requirement("R72")
def test_file_that_keeps_the_process_busy_is_rejected(image):
    # Three million elements of eight bytes in the file meta information, which is read first;
    # reading them takes far more than two seconds.
    busy = b"\x02\x00\x01\x10LO\0\0" * 3_000_000
    data = encoded(image)
    place = data.index(b"\x02\x00\x10\x00UI")
    with Parser(file_seconds=2) as parser:
        found = parser.inspect(data[:place] + busy + data[place:])
        assert (found.verdict, found.code) == ("rejected", "parser-timeout")
        assert parser.inspect(data).verdict == "accepted"


def test_process_that_dies_on_a_file_is_replaced(image):
    with Parser(file_seconds=30) as parser:
        first = parser.pid
        os.kill(first, signal.SIGSTOP)
        killer = subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -9 {first}"])
        found = parser.inspect(encoded(image))
        killer.wait()
        assert (found.verdict, found.code) == ("rejected", "parser-died")
        assert parser.inspect(encoded(image)).verdict == "accepted"


def test_deidentification_that_takes_too_long_is_an_error(image):
    with Parser(file_seconds=2) as parser:
        os.kill(parser.pid, signal.SIGSTOP)
        with pytest.raises(ParserError, match="took too long"):
            parser.deidentify(encoded(image), POLICY)


def test_no_process_is_left_behind(image):
    with Parser() as parser:
        pid = parser.pid
        parser.inspect(encoded(image))
    assert not Path(f"/proc/{pid}").exists()


def test_the_process_dies_with_its_parent():
    program = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1]);"
        "from imaging.services.parser import Parser;"
        "parser = Parser().__enter__();"
        "print(parser.pid, flush=True);"
        # Stopped, it can't see that its input has ended.
        "os.kill(parser.pid, signal.SIGSTOP); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(ROOT)], capture_output=True, timeout=60
    )
    child = Path(f"/proc/{int(done.stdout)}")
    assert done.returncode == -signal.SIGKILL
    for _ in range(100):
        # It may stay a zombie where nobody collects orphans.
        if not child.exists() or ") Z " in (child / "stat").read_text():
            return
        time.sleep(0.05)
    pytest.fail("the parsing process outlived its parent")


# Hostile files.


@pytest.mark.requirement("R72")
@pytest.mark.parametrize("depth", [DEEPEST, 15, 400, 5000])
def test_deep_nesting_ends_in_a_verdict_within_seconds(parser, image, depth):
    begun = time.monotonic()
    wanted = "accepted" if depth == DEEPEST else "rejected"
    for data in (threats.nested(encoded(image), depth), encoded(image) + threats.nest(depth)):
        assert parser.inspect(data).verdict == wanted
    assert time.monotonic() - begun < 10
    assert parser.inspect(encoded(image)).verdict == "accepted"


def processor_seconds(pid: int) -> float:
    """What a process has used of a processor, for itself and in the kernel."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, after_name[11:13])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.requirement("R72")
def test_deflate_bomb_is_refused_before_it_is_unpacked(parser, image):
    bomb = threats.deflate_bomb(image, mebibytes=1024)
    parser.inspect(encoded(image))
    pid, before = parser.pid, processor_seconds(parser.pid)
    assert parser.inspect(bomb).code == "transfer-syntax-unsupported"
    # Of its own process, which is still the same: a busy machine takes longer, not more.
    assert parser.pid == pid
    assert processor_seconds(pid) - before < 1


@pytest.mark.parametrize("data", [b"", b"DICM", b"\0" * 500, b"PK\x03\x04" + bytes(300)])
def test_other_files_are_not_dicom(parser, data):
    assert parser.inspect(data).code == "not-dicom"


@pytest.mark.parametrize("length", [140, 300, 700, -2])
def test_cut_file_is_rejected(parser, image, length):
    assert parser.inspect(encoded(image)[:length]).verdict == "rejected"


@pytest.mark.reference
@pytest.mark.requirement("R73")
def test_published_hostile_files_get_one_verdict_each_and_kill_nothing(parser, reference_data):
    folder = reference_data / "hostile_dicom" / "pwnlab_fuzz_v3"
    files = sorted(folder.glob("*/*.dcm"))
    assert len(files) == 584
    found = {f: parser.inspect(f.read_bytes()) for f in files}
    assert not {v.code for v in found.values()} & {"parser-died", "parser-timeout"}
    assert Counter(v.verdict for v in found.values()) == {"accepted": 288, "rejected": 296}
    by_pattern = {p: {found[f].code for f in folder.glob(p)} for p in EXPECTED}
    assert by_pattern == {pattern: {code} for pattern, code in EXPECTED.items()}
    for file in (f for f, v in found.items() if v.verdict == "accepted"):
        parser.deidentify(file.read_bytes(), POLICY)


# What the manifest says each file has wrong, and the name under which we refuse that.
EXPECTED = {
    "baseline/*": "",
    "cat03_sequence_nesting/*_depth_50.dcm": "nested-too-deep",
    "cat03_sequence_nesting/*_depth_100.dcm": "nested-too-deep",
    "cat04_pixel_data/*_buf_[h21]*.dcm": "pixel-data-length",
    "cat04_pixel_data/*_buf_zero.dcm": "no-pixel-data",
    "cat04_pixel_data/*_rows_zero.dcm": "dimensions-implausible",
    "cat04_pixel_data/*_cols_zero.dcm": "dimensions-implausible",
    "cat04_pixel_data/*_bits_*.dcm": "pixel-format-unsupported",
    "cat04_pixel_data/*_rgb_*.dcm": "pixel-format-unsupported",
    "cat04_pixel_data/*_mf_nf_*.dcm": "multi-frame",
    "cat05_transfer_syntax/*_deflate_*.dcm": "transfer-syntax-unsupported",
    "cat07_file_meta/*_sop_class_mismatch.dcm": "file-meta-contradicts",
    # The same format string in the patient's name and in the manufacturer's, which is not kept.
    "cat08_string_encoding/*_fmt_printf_n.dcm": "",
    "cat09_logic_bombs/*_sop_modality_*.dcm": "modality-contradicts",
    "cat15_cve_2019_1010228/*": "not-readable",
    "cat22_cve_meddream_stack_overflow/*name_32768.dcm": "value-too-long",
    "cat22_cve_meddream_stack_overflow/*name_65535.dcm": "value-too-long",
    "cat24_cve_orthanc_osirix/*uid_traversal*": "uid-invalid",
}


@pytest.mark.fuzz
@pytest.mark.reference
@pytest.mark.requirement("R73")
def test_broken_copies_of_real_files_get_one_verdict_each(reference_data):
    seeds = sorted((reference_data / "pet_headers").glob("*.dcm"))
    chance = random.Random(20260301)  # noqa: S311  the same each time
    verdicts = Counter()
    with Parser() as parser:
        for number in range(800):
            data = bytearray(seeds[number % len(seeds)].read_bytes())
            break_something(data, chance)
            found = parser.inspect(bytes(data))
            verdicts[found.verdict] += 1
            assert found.code not in {"parser-timeout", "parser-died"}
            if found.verdict != "rejected":
                released = parser.deidentify(bytes(data), POLICY)
                assert released.dicom[128:132] == b"DICM"
    assert sum(verdicts.values()) == 800
    assert {"accepted", "rejected"} <= set(verdicts)


def break_something(data: bytearray, chance: random.Random) -> None:
    """Flip bytes of the header, cut the file, or double a piece of it."""
    header = len(data) - 30_000
    for _ in range(chance.choice([1, 2, 8, 64])):
        data[chance.randrange(132, header)] = chance.randrange(256)
    if chance.random() < 0.1:
        del data[chance.randrange(len(data)) :]
    if chance.random() < 0.2:
        place = chance.randrange(132, header)
        data[place:place] = data[place : place + chance.randrange(200)]
