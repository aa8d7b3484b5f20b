"""Published hostile files, and the test files of pydicom, through the whole intake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from django.conf import settings
from django.db import connection

from imaging.models import Instance, ReceivedFile, Transmittal
from tests import factories
from tests.imaging.sending_in import Intake, Surroundings, sha256, wait_until_at_rest
from trials.models import Job
from trials.roles import Role
from trials.services import accounts

pytestmark = [pytest.mark.live, pytest.mark.reference, pytest.mark.requirement("R73")]

State = Transmittal.State
FileState = ReceivedFile.State
BATCH = 100


@pytest.fixture
def corpora(reference_data) -> list[Path]:
    folder = reference_data / "hostile_dicom" / "pwnlab_fuzz_v3"
    hostile = sorted(folder.glob("*/*.dcm"))
    assert len(hostile) == 584
    own = Path(pydicom.__file__).parent / "data"
    kinds = ("test_files", "charset_files", "palettes")
    shipped = [one for kind in kinds for one in sorted((own / kind).rglob("*")) if one.is_file()]
    assert len(shipped) > 150
    return hostile + shipped


@pytest.fixture
def before(site, live_stack) -> Iterator[Surroundings]:
    yield Surroundings(site)
    connection.close()


def batches(files: list[bytes]) -> list[list[bytes]]:
    return [files[at : at + BATCH] for at in range(0, len(files), BATCH)]


def test_some_of_them_come_to_an_end(before, corpora):
    through_the_intake(before, corpora[::16])


@pytest.mark.fuzz
def test_all_of_them_come_to_an_end(before, corpora, capsys):
    found = through_the_intake(before, corpora)
    with capsys.disabled():
        for what, counts in found.items():
            print(f"\n{what}: {', '.join(f'{n} {code}' for code, n in counts.most_common())}")


def through_the_intake(before: Surroundings, paths: list[Path]) -> dict[str, Counter]:
    """All at once for their verdicts; then what passed patient by patient, into the archive."""
    intakes = [Intake(before.stack.address)]
    by_digest = {sha256(data): data for data in (one.read_bytes() for one in paths)}
    row = intakes[0].upload(batches(list(by_digest.values())))
    wait_until_at_rest([row])
    files = list(row.files.filter(archive=None))
    verdicts = Counter(one.code if one.state == FileState.REJECTED else "passed" for one in files)
    assert verdicts.total() == len(by_digest)
    assert not verdicts.keys() & {"", "parser-died", "parser-timeout", "parser-failed"}
    rows = []
    for group in groups(one for one in files if one.state == FileState.QUARANTINED):
        intakes.append(Intake(before.stack.address))
        sent = [by_digest[one.sha256] for one in group]
        rows.append(intakes[-1].upload(batches(sent), at_source=True))
    wait_until_at_rest(rows)
    let_through(rows, intakes)
    wait_until_at_rest(rows)
    ends = Counter(f"{one.state} {one.code}".strip() for one in rows)
    is_whole(before, intakes)
    for one in rows:
        released = Instance.objects.filter(received_file__transmittal=one).count()
        assert released in {0, one.files.count()}
        assert one.state == State.QUARANTINED or released
    return {"verdicts": verdicts, "ends of what passed": ends}


def groups(files: Iterator[ReceivedFile]) -> list[list[ReceivedFile]]:
    """Files of one patient each, and no image of it twice."""
    found: list[list[ReceivedFile]] = []
    for file in files:
        for group in found:
            is_new = all(one.source_instance != file.source_instance for one in group)
            if group[0].source_patient == file.source_patient and is_new:
                group.append(file)
                break
        else:
            found.append([file])
    return found


def let_through(rows: list[Transmittal], intakes: list[Intake]) -> None:
    """A data manager confirms that the studies of a patient are one scan, named or not."""
    for row, intake in zip(rows, intakes[1:], strict=True):
        if row.code in {"several-studies", "identity-not-removed"}:
            manager = factories.make_user(Role.DATA_MANAGER, trial=row.site.trial)
            token, _ = accounts.issue_token(manager, label="test")
            given = {"release": True, "reason": "They are of one scan."}
            headers = {"Authorization": f"Bearer {token}"}
            intake.ask(f"transmittals/{row.pk}/decide/", json=given, headers=headers)


def is_whole(before: Surroundings, intakes: list[Intake]) -> None:
    """Nothing failed, nobody was started again, nothing lies outside the store."""
    assert max(status for one in intakes for status in one.statuses) < 300
    assert before.same_processes
    assert before.new_files == set()
    assert "Traceback" not in before.logged
    users = [one.user for one in intakes]
    jobs = Job.objects.filter(actor__in=users)
    assert not jobs.exclude(state=Job.State.DONE, attempts=1).exists()
    assert not list((Path(settings.STORAGE) / "quarantine" / "spool").glob("*"))
