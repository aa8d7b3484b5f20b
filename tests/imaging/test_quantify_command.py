"""`manage.py quantify` as a script calls it: another process, no database, exit statuses."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, generate_uid

from tests.imaging.conftest import pet_dataset

ROOT = Path(__file__).resolve().parents[2]
KEYS = {
    "series_instance_uid",
    "manufacturer",
    "modality",
    "n_instances",
    "status",
    "code",
    "message",
    "suvbw_factor",
    "suv_max",
    "units",
    "decay_correction",
    "reference_time",
    "injection_time",
    "uptake_seconds",
    "witnesses",
    "adaptations",
    "files_skipped",
}


def quantify(*arguments, **environment):
    """The command with nothing that names a database, a broker or a server."""
    bare = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", "quantify", *map(str, arguments)],
        cwd=ROOT,
        env=bare | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def told(*arguments):
    done = quantify(*arguments, "--json")
    return done.returncode, json.loads(done.stdout)


def written(folder, name, **changes):
    ds = pet_dataset()
    ds.SOPInstanceUID = generate_uid()
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.PixelData = bytes(range(40))
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(buffer.getvalue())
    return folder / name


def test_a_series_that_is_sure_is_told_with_its_number(tmp_path):
    written(tmp_path, "deep/down/image")
    (tmp_path / "notes.txt").write_text("no image")
    written(tmp_path, "ct.dcm", Modality="CT")
    status, (one,) = told(tmp_path)
    assert (status, one["status"]) == (0, "COMPUTED")
    assert set(one) >= KEYS
    assert one["suvbw_factor"] == pytest.approx(0.000276336681717643, rel=1e-8)
    # Stored 0x2726, slope 2.5; bc: 10022 * 2.5 * 0.000276336681717643.
    assert one["suv_max"] == pytest.approx(6.9236155, rel=1e-6)
    assert {left["file"] for left in one["files_skipped"]} == {"notes.txt", "ct.dcm"}
    assert {w["key"] for w in one["witnesses"]} == {"S", "A", "P", "F", "D", "Z"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"PatientWeight": "0"}, "REFUSED"), ({"DecayFactor": "1.2"}, "REVIEW")],
)
def test_one_that_is_not_sure_ends_with_three_and_no_number(tmp_path, changes, said):
    written(tmp_path, "sure")
    written(tmp_path, "unsure", SeriesInstanceUID="1.2.99", **changes)
    status, reports = told(tmp_path)
    by_uid = {one["series_instance_uid"]: one for one in reports}
    assert (status, by_uid["1.2.3"]["status"]) == (3, "COMPUTED")
    unsure = by_uid["1.2.99"]
    assert unsure["status"] == said
    assert (unsure["suvbw_factor"], unsure["suv_max"]) == (None, None)
    assert (unsure["candidate_factor"] is not None) == (said == "REVIEW")


def test_slices_that_are_no_volume_are_refused_by_name(tmp_path):
    for place, height in enumerate((0, 3, 6, 9, 15)):
        written(tmp_path, f"{place}", ImagePositionPatient=[0, 0, height], NumberOfSlices=5)
    status, (one,) = told(tmp_path)
    assert (status, one["status"], one["code"]) == (3, "REFUSED", "missing-slices")


def test_uneven_planes_flag_the_number(tmp_path):
    # 2 % around 3 mm: real, and tolerated up to 5 %.
    for place, height in enumerate((0, 3, 6.06, 9)):
        written(tmp_path, f"{place}", ImagePositionPatient=[0, 0, height], NumberOfSlices=4)
    status, (one,) = told(tmp_path)
    assert (status, one["status"]) == (0, "COMPUTED-FLAGGED")
    assert [flag["code"] for flag in one["flags"]] == ["slice-spacing-varies"]


def skipped(report):
    return {left["file"]: left["reason"] for left in report["files_skipped"]}


def test_what_is_no_plain_file_is_named_and_neither_opened_nor_followed(tmp_path):
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    written(folder, "image")
    written(elsewhere, "other", SeriesInstanceUID="1.2.98")
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to(elsewhere)
    (folder / "loop").symlink_to(folder)
    (folder / "null").symlink_to("/dev/null")
    (folder / "nowhere").symlink_to(tmp_path / "gone")
    (folder / "linked").symlink_to(written(tmp_path, "third", SeriesInstanceUID="1.2.97"))
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(folder / "socket"))
        status, reports = told(folder)
    assert (status, {one["series_instance_uid"] for one in reports}) == (0, {"1.2.3", "1.2.97"})
    assert skipped(reports[0]) == {
        "pipe": "a pipe, no file",
        "socket": "a socket, no file",
        "null": "a device, no file",
        "link": "a link to a folder, not followed",
        "loop": "a link to a folder, not followed",
        "nowhere": "unreadable: No such file or directory",
    }


def test_a_deflated_file_is_refused_unread(tmp_path):
    """A megabyte that would be a gigabyte; the process may have half of one."""
    file = written(tmp_path, "image")
    ds = pydicom.dcmread(file)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    ds.save_as(tmp_path / "deflated", enforce_file_format=True, implicit_vr=False)
    head = (tmp_path / "deflated").read_bytes()
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = b"".join(packer.compress(bytes(2**20)) for _ in range(1024)) + packer.flush()
    meta = 132 + 12 + ds.file_meta.FileMetaInformationGroupLength
    (tmp_path / "bomb").write_bytes(head[:meta] + body)
    limit = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    status, (one,) = told(tmp_path)
    assert (status, one["n_instances"]) == (0, 1)
    reason = "deflated Transfer Syntax (0002,0010): its size when unpacked is not known"
    assert skipped(one) == {"bomb": reason, "deflated": reason}
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(limit, 500_000)


def test_an_interrupt_ends_it_with_130_and_no_traceback(tmp_path):
    written(tmp_path, "image")
    program = (
        "import os, runpy, signal, sys, pydicom\n"
        # A shell has its background jobs ignore it.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "pydicom.dcmread = lambda *_, **__: os.kill(os.getpid(), signal.SIGINT)\n"
        f"sys.argv = ['manage.py', 'quantify', {str(tmp_path)!r}]\n"
        "runpy.run_path('manage.py', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_control_characters_never_reach_the_terminal_raw(tmp_path):
    written(tmp_path, "a\x1b[31m", Manufacturer="SIE\x1b[2JMENS", ManufacturerModelName="\x9b\x07")
    (tmp_path / "no\x1b]0;title\x07").write_text("no image")
    done = quantify(tmp_path)
    assert not [one for one in done.stdout if ord(one) < 32 and one != "\n"]
    assert r"SIE\x1b[2JMENS" in done.stdout
    assert r"skipped no\x1b]0;title\x07" in done.stdout
    missing = quantify(tmp_path / "gone\x1b[2J")
    assert "\x1b" not in missing.stderr


def test_a_terminal_of_ascii_is_no_crash(tmp_path):
    written(tmp_path, "a", SpecificCharacterSet="ISO_IR 192", Manufacturer="Gerät")
    (tmp_path / "später").write_text("no image")
    for arguments in ([], ["--json"]):
        done = quantify(tmp_path, *arguments, PYTHONIOENCODING="ascii")
        assert (done.returncode, done.stderr) == (0, "")
        assert r"Ger\u00e4t" in done.stdout or r"Ger\xe4t" in done.stdout
    assert quantify(tmp_path / "ä", PYTHONIOENCODING="ascii").returncode == 2


def test_a_file_twice_counts_once(tmp_path):
    first = written(tmp_path, "a")
    (tmp_path / "b").write_bytes(first.read_bytes())
    status, (one,) = told(tmp_path)
    assert (status, one["n_instances"]) == (0, 1)
    assert "same SOP Instance UID" in one["files_skipped"][0]["reason"]


@pytest.mark.parametrize("cut", [40, 20])
def test_pixels_that_are_cut_off_are_refused(tmp_path, cut):
    file = written(tmp_path, "a")
    file.write_bytes(file.read_bytes()[:-cut])
    status, reports = told(tmp_path)
    assert status != 0
    assert all(one["suv_max"] is None for one in reports)


def test_bad_use_ends_with_two_and_says_why(tmp_path):
    missing = quantify(tmp_path / "none")
    assert (missing.returncode, "is not a folder" in missing.stderr) == (2, True)
    empty = quantify(tmp_path, "--json")
    assert (empty.returncode, json.loads(empty.stdout)) == (2, [])
    assert "holds no PET series" in empty.stderr
    assert quantify(tmp_path, "--policy", "mine").returncode == 2


def test_a_person_reads_verdict_factor_and_witnesses(tmp_path):
    written(tmp_path, "a")
    done = quantify(tmp_path)
    assert done.returncode == 0
    for part in ("COMPUTED", "factor 0.000276336682 g/Bq", "Series Time", "reference"):
        assert part in done.stdout


@pytest.mark.reference
def test_a_folder_of_real_headers_gives_the_consensus(reference_data):
    cases = json.loads((reference_data / "pet_headers/expected.json").read_text())["cases"]
    status, reports = told(reference_data / "pet_headers")
    found = {one["series_instance_uid"]: one for one in reports}
    assert (status, len(found)) == (3, 40)
    for case in cases:
        one, expected = found[case["series_uid"]], case["expected_suvbw_factor"]
        if case["status"] == "PRESCALED_GML":
            expected = 1.0
        if expected is None:
            assert one["suvbw_factor"] is None
        else:
            tolerance = 1e-3 if one["units"] == "CNTS" else 2e-4
            assert one["suvbw_factor"] == pytest.approx(expected, rel=tolerance)


@pytest.mark.reference
def test_a_whole_real_series_gives_its_factor_and_maximum(reference_data):
    status, (one,) = told(reference_data / "pet_series" / "ge_sts_001_raw" / "image")
    assert (status, one["status"], one["n_instances"]) == (0, "COMPUTED-FLAGGED", 267)
    # Steps of 3.19, 3.27 and 3.29 mm.
    assert [flag["code"] for flag in one["flags"]] == ["slice-spacing-varies"]
    assert one["suvbw_factor"] == pytest.approx(0.000242902977, rel=1e-6)
    assert one["suv_max"] == pytest.approx(66.5215, abs=5e-5)


@pytest.mark.reference
def test_hostile_files_end_it_neither_early_nor_late(reference_data):
    """584 malformed files: told or skipped by name, within the time of the call."""
    done = quantify(reference_data / "hostile_dicom" / "pwnlab_fuzz_v3", "--json")
    assert done.returncode in {2, 3}
    assert isinstance(json.loads(done.stdout), list)
    assert len(done.stderr.splitlines()) <= 1


def test_pydicom_reads_what_the_tests_write(tmp_path):
    assert pydicom.dcmread(written(tmp_path, "a")).PatientWeight == 70
