"""Archives: one verdict for each, whatever the order; and what is sound is taken out whole."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import pytest

from imaging import archives
from imaging.archives import ArchiveError, Content, Limits
from imaging.services import archive_reader
from tests.imaging.zips import FOLDER, HOSTILE, IMAGES, Member, archive, shuffled

LIMITS = Limits()


def opened(data: bytes, limits: Limits = LIMITS) -> list[Content]:
    return list(archives.contents(lambda at, n: data[at : at + n], len(data), limits))


def verdict(data: bytes, limits: Limits = LIMITS) -> str:
    try:
        opened(data, limits)
    except ArchiveError as refusal:
        return refusal.code
    return "sound"


@pytest.mark.requirement("R71")
@pytest.mark.parametrize("name", HOSTILE)
def test_each_threat_has_one_verdict_in_every_order(name):
    code, members = HOSTILE[name]
    found = {verdict(archive(some)) for some in shuffled(members)}
    assert found == {code}
    assert {verdict(archive(members)) for _ in range(2)} == {code}


def test_a_refusal_says_what_to_do_and_where_it_was_found():
    data = archive(HOSTILE["T2 link"][1])
    with pytest.raises(ArchiveError, match=r"Pack the files themselves, .* Found at entry 4"):
        opened(data)


@pytest.mark.requirement("R71")
def test_of_several_faults_one_is_the_verdict_whatever_stands_first():
    bad = [HOSTILE[name][1][-1] for name in ("T1 leads out", "T2 link", "encrypted")]
    lying = HOSTILE["T4 longer than told"][1][-1]
    assert {verdict(archive(some)) for some in shuffled([*IMAGES, *bad, lying])} == {
        "archive-encrypted"
    }
    two = [HOSTILE[name][1][-1] for name in ("T4 other sum", "T4 stored, longer than told")]
    named = [Member(f"{n}", m.data, m.method, crc=m.crc, size=m.size) for n, m in enumerate(two)]
    assert {verdict(archive(some)) for some in shuffled(named)} == {"archive-size-differs"}


@pytest.mark.requirement("R71")
def test_sixty_thousand_entries_are_refused_by_their_count_alone():
    asked: list[int] = []
    data = archive([Member("a", b"a")], count=60_000)

    def read_at(at: int, length: int) -> bytes:
        asked.append(length)
        return data[at : at + length]

    with pytest.raises(ArchiveError) as refusal:
        list(archives.contents(read_at, len(data), LIMITS))
    assert refusal.value.code == "archive-too-many"
    # The end and the place before it; not the directory.
    assert asked == [len(data), 20]


@pytest.mark.requirement("R71")
def test_a_count_that_hides_entries_or_invents_them_is_damage():
    assert verdict(archive(IMAGES, count=2)) == "archive-damaged"
    assert verdict(archive(IMAGES, count=4)) == "archive-damaged"


@pytest.mark.requirement("R71")
def test_an_archive_cut_anywhere_is_never_sound():
    data = archive(IMAGES)
    found = {verdict(data[:at]) for at in range(len(data))}
    assert found == {"archive-truncated"}
    assert verdict(data + b"tail") == "archive-truncated"
    assert verdict(b"head" + data) == "archive-damaged"


@pytest.mark.requirement("R71")
def test_total_and_entries_are_held_to_the_limits_given():
    data = archive(IMAGES)
    size = sum(len(one.data) for one in IMAGES)
    assert verdict(data, Limits(total_bytes=size)) == "sound"
    assert verdict(data, Limits(total_bytes=size - 1)) == "archive-too-large"
    assert verdict(data, Limits(entries=3)) == "sound"
    assert verdict(data, Limits(entries=2)) == "archive-too-many"
    assert verdict(data, Limits(entry_bytes=len(IMAGES[0].data) - 1)) == "archive-entry-too-large"


def test_files_come_out_whole_in_the_order_of_the_archive():
    members = [Member("scan/", mode=FOLDER), *IMAGES, Member("scan/raw", b"stored", method=0)]
    found = opened(archive(members))
    assert [one.number for one in found] == [2, 3, 4, 5]
    assert [one.data for one in found] == [*(one.data for one in IMAGES), b"stored"]
    assert {one.kind for one in found} == {archives.FILE}


@pytest.mark.parametrize("comment", [b"", b"by a viewer", b"PK\5\6" + bytes(40)])
def test_a_comment_of_the_archive_misleads_nobody(comment):
    assert len(opened(archive(IMAGES, comment=comment))) == 3


def test_lengths_of_eight_bytes_are_read():
    members = [Member(one.name, one.data, is_zip64=True) for one in IMAGES]
    assert len(opened(archive(members, is_64=True))) == 3
    assert verdict(archive(members, is_64=True, count=60_000)) == "archive-too-many"


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("is_stream", [False, True])
def test_what_another_program_packs_is_unpacked(compression, is_stream):
    """Python's zipfile, also where it cannot go back and tells the lengths afterwards."""
    file = io.BytesIO()
    if is_stream:
        file.seekable = lambda: False
    with zipfile.ZipFile(file, "w", compression) as packed:
        packed.mkdir("scan")
        for one in IMAGES:
            packed.writestr(one.name, one.data)
    found = opened(file.getvalue())
    assert [one.data for one in found] == [one.data for one in IMAGES]


@pytest.mark.requirement("R71")
def test_junk_is_told_by_kind_and_an_archive_within_is_not_opened():
    inner = archive(IMAGES)
    named = {
        "DICOMDIR": (bytes(128) + b"DICM", "DICOMDIR"),
        "__MACOSX/._IM0001": (b"x", "__MACOSX"),
        "scan/._IM0001": (b"x", "__MACOSX"),
        "scan/.DS_Store": (b"x", ".DS_Store"),
        "Thumbs.db": (b"x", "Thumbs.db"),
        "ReadMe.TXT": (b"for Anna", "text file"),
        "slice.txt": (IMAGES[0].data, archives.FILE),
        "inner.zip": (inner, archives.NESTED),
        "without a name for it": (inner, archives.NESTED),
        "inner.rar": (b"x", archives.NESTED),
        "letter": (b"x", archives.FILE),
        "<script>alert(1)</script>": (IMAGES[1].data, archives.FILE),
    }
    found = opened(archive([Member(name, data) for name, (data, _) in named.items()]))
    assert [one.kind for one in found] == [kind for _, kind in named.values()]


def test_what_is_no_zip_is_told_by_its_first_bytes():
    data = archive(IMAGES)
    assert archives.is_archive(data[:512])
    assert archives.is_archive(archive([])[:512])
    assert not archives.is_archive(b"")
    assert archives.is_foreign(b"7z\xbc\xaf\x27\x1c\0\4")
    assert not archives.is_foreign(data)
    # A preamble may be anything: what says that it is DICOM goes that way.
    assert not archives.is_archive(data[:128].ljust(128, b"\0") + b"DICM")


@pytest.mark.requirement("R71")
@pytest.mark.parametrize("seed", range(20))
def test_no_changed_byte_makes_it_anything_but_sound_or_refused(seed):
    chance, data = random.Random(seed), archive(IMAGES)  # noqa: S311  repeats
    whole = [one.data for one in IMAGES]
    for _ in range(50):
        broken = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            broken[chance.randrange(len(data))] = chance.randrange(256)
        if verdict(bytes(broken)) == "sound":
            # It was in what is not looked at, such as dates and versions.
            assert [one.data for one in opened(bytes(broken))] == whole


# In the process that is locked in.


def in_child(path: Path, limits: Limits = LIMITS, **options) -> list[Content]:
    with path.open("rb") as file:
        return list(archive_reader.contents(file, limits=limits, with_bytes=True, **options))


@pytest.fixture
def packed(tmp_path) -> Path:
    path = tmp_path / "packed"
    path.write_bytes(archive([*IMAGES, Member("readme.txt", b"x")]))
    return path


@pytest.mark.requirement("R71")
@pytest.mark.parametrize("name", ["T1 leads out", "T3 bomb of allowed size", "T4 longer than told"])
def test_the_locked_in_process_gives_the_same_verdict(tmp_path, name):
    code, members = HOSTILE[name]
    path = tmp_path / "packed"
    path.write_bytes(archive(members))
    with pytest.raises(ArchiveError) as refusal:
        in_child(path)
    assert refusal.value.code == code
    assert list(tmp_path.iterdir()) == [path]


def test_the_locked_in_process_gives_the_files(packed):
    assert in_child(packed) == opened(packed.read_bytes())
    with packed.open("rb") as file:
        told = list(archive_reader.contents(file, limits=LIMITS, with_bytes=False))
    assert [(one.number, one.kind) for one in told] == [
        (1, "file"), (2, "file"), (3, "file"), (4, "text file"),
    ]  # fmt: skip
    assert {one.data for one in told} == {b""}


HOSTILE_CHILD = """
import json, struct, sys
def send(header, body=b""):
    told = json.dumps(header).encode()
    sys.stdout.buffer.write(struct.pack(">II", len(told), len(body)) + told + body)
    sys.stdout.buffer.flush()
send({"ready": True})
act = ACT
if act == "many":
    while True: send({"number": 1, "kind": "file"})
if act == "large":
    while True: send({"number": 1, "kind": "file"}, bytes(2**20))
if act == "name":
    send({"number": 1, "kind": "Anna Example"})
if act == "silent":
    import time; time.sleep(60)
"""


@pytest.mark.requirement("R71")
@pytest.mark.parametrize("act", ["many", "large", "name", "silent", "gone"])
def test_a_process_that_was_taken_over_is_stopped_from_outside(packed, monkeypatch, act):
    monkeypatch.setattr(archive_reader, "_PROGRAM", HOSTILE_CHILD.replace("ACT", repr(act)))
    limits = Limits(entries=50, total_bytes=10 * 2**20)
    with pytest.raises(ArchiveError) as refusal:
        in_child(packed, limits, file_seconds=2.0)
    assert refusal.value.code == "archive-damaged"


def test_without_the_lock_no_archive_is_opened(packed, monkeypatch):
    program = archive_reader._PROGRAM.replace(
        "main()",
        "import platform; from imaging import confinement; "
        "platform.machine = lambda: 'riscv64'; confinement.platform.machine = platform.machine\n"
        "main()",
    )
    monkeypatch.setattr(archive_reader, "_PROGRAM", program)
    with pytest.raises(archive_reader.ReaderError, match="riscv64"):
        in_child(packed)
