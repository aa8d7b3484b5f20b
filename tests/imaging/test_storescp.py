"""What a scanner sends by C-STORE: the real storescu against the real receiver.

Rows stay in the database of the run: each test has a trial, a site and a node of its own.
"""

from __future__ import annotations

import io
import subprocess
from itertools import count
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import CTImageStorage, MRImageStorage

from imaging import storage
from imaging.models import DicomContact, ReceivedFile, Transmittal
from imaging.services import nodes
from imaging.services.parser import Parser
from tests import factories
from tests.imaging.sending import receiving as received_by
from tests.imaging.sending import storescu
from tests.imaging.test_intake import a_slice
from tests.serving import wait_for
from trials.roles import Role

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("dcmtk", "committed_db")]

FILED_SECONDS = 30
_numbers = count(1)


@pytest.fixture
def site():
    return factories.make_site(factories.make_trial(f"SCP{next(_numbers)}"))


@pytest.fixture
def manager(site):
    return factories.make_user(Role.TECHNOLOGIST, trial=site.trial, site=site)


@pytest.fixture
def node(site, manager):
    return registered(site, manager)


def registered(site, by, **given):
    return nodes.register(site, called_ae_title=f"TRIAL{next(_numbers)}", by=by, **given)


@pytest.fixture(scope="module")
def running(dcmtk, django_db_setup, tmp_path_factory):
    """One receiver for the tests that leave it as it is."""
    with received_by(tmp_path_factory.mktemp("scp") / "storage") as receiver:
        yield receiver


@pytest.fixture
def receiver(running, settings):
    settings.STORAGE = running.storage
    return running


@pytest.fixture
def place(tmp_path, settings) -> Path:
    """The storage of a receiver of one's own."""
    settings.STORAGE = tmp_path / "storage"
    return settings.STORAGE


@pytest.fixture
def written(tmp_path, dataset):
    """Files on disk, as a scanner would have them."""

    def write(number: int, **changes) -> list[Path]:
        folder = tmp_path / f"sent{next(_numbers)}"
        folder.mkdir()
        paths = [folder / f"{n:04}.dcm" for n in range(number)]
        for n, path in enumerate(paths):
            path.write_bytes(a_slice(dataset, n + 1, **changes))
        return paths

    return write


def files_of(site) -> list[ReceivedFile]:
    return list(ReceivedFile.objects.filter(transmittal__site=site).order_by("position"))


def filed(site, number: int) -> list[ReceivedFile]:
    wait_for(lambda: len(files_of(site)) >= number, FILED_SECONDS)
    return files_of(site)


def data_set(content: bytes):
    ds = pydicom.dcmread(io.BytesIO(content))
    return {element.tag: element.value for element in ds if element.tag.group != 2}


def test_what_is_sent_is_in_the_ledger_as_it_was(site, node, receiver, written):
    paths = written(5)
    sent = storescu(receiver.port, paths, called=node.called_ae_title)
    assert (sent.code, sent.acknowledged) == (0, paths), sent.output
    rows = filed(site, 5)
    assert len(rows) == 5
    (row,) = Transmittal.objects.filter(site=site)
    assert (row.source, row.sender, row.sent_by.is_system) == ("store", "PETCT1", True)
    with Parser() as parser:
        for path, one in zip(paths, rows, strict=True):
            kept = storage.quarantine.read(one.sha256)
            assert len(kept) == one.size
            assert data_set(kept) == data_set(path.read_bytes())
            assert parser.inspect(kept).verdict == "accepted"


def test_an_echo_is_answered_and_noted_as_contact(node, receiver):
    words = ["echoscu", "-aet", "PETCT1", "-aec", node.called_ae_title]
    subprocess.run([*words, "127.0.0.1", str(receiver.port)], check=True, timeout=60)
    contact = DicomContact.objects.get(node=node)
    assert (contact.calling_ae_title, contact.address) == ("PETCT1", "127.0.0.1")
    assert contact.refusal == ""


def test_the_same_object_twice_is_one_file(site, node, receiver, written):
    paths = written(3)
    for _ in range(2):
        assert storescu(receiver.port, paths, called=node.called_ae_title).code == 0
    # What comes after it is filed after it.
    last = written(1, InstanceNumber="99")
    storescu(receiver.port, last, called=node.called_ae_title)
    assert len(filed(site, 4)) == 4


def test_a_name_that_nobody_registered_is_refused(receiver, written):
    sent = storescu(receiver.port, written(1), called="NOWHERE")
    assert sent.code != 0
    assert "Called AE Title Not Recognized" in sent.output
    assert "no node is registered" in receiver.said()


def test_a_caller_that_is_not_listed_is_refused(site, manager, receiver, written):
    node = registered(site, manager, calling_ae_titles=["OTHER"])
    sent = storescu(receiver.port, written(1), called=node.called_ae_title)
    assert sent.code != 0
    assert "Calling AE Title Not Recognized" in sent.output
    assert "calling AE title" in DicomContact.objects.get(node=node).refusal


def test_an_address_that_is_not_listed_is_refused(site, manager, receiver, written):
    node = registered(site, manager, allowed_addresses=["10.0.0.0/8"])
    sent = storescu(receiver.port, written(1), called=node.called_ae_title)
    assert sent.code != 0
    assert "Rejected Permanent" in sent.output
    assert "address is not among" in receiver.said()


def test_a_retired_node_takes_nothing(node, manager, receiver, written):
    nodes.retire(node, reason="the scanner was sold", by=manager)
    sent = storescu(receiver.port, written(1), called=node.called_ae_title)
    assert "Called AE Title Not Recognized" in sent.output


def test_other_classes_and_encodings_are_refused_in_the_negotiation(
    site, node, receiver, written, dataset
):
    pictures = written(1, SOPClassUID=MRImageStorage, Modality="MR")
    sent = storescu(receiver.port, pictures, called=node.called_ae_title)
    assert (sent.acknowledged, files_of(site)) == ([], [])
    assert "SOP class not taken" in receiver.said()
    sent = storescu(receiver.port, written(1), "-xs", called=node.called_ae_title)
    assert "transfer syntax not taken" in receiver.said()


def test_a_ct_and_other_byte_orders_are_taken(site, node, receiver, written):
    ct = written(1, SOPClassUID=CTImageStorage, Modality="CT")
    assert storescu(receiver.port, ct, called=node.called_ae_title).code == 0
    assert storescu(receiver.port, written(2), "-xi", called=node.called_ae_title).code == 0
    assert storescu(receiver.port, written(3), "-xb", called=node.called_ae_title).code == 0
    syntaxes = set()
    for row in filed(site, 6):
        kept = pydicom.dcmread(io.BytesIO(storage.quarantine.read(row.sha256)))
        syntaxes.add(kept.file_meta.TransferSyntaxUID.name)
    assert len(syntaxes) == 3


def test_nothing_of_what_was_sent_is_in_the_log(node, receiver, written):
    storescu(receiver.port, written(2), called=node.called_ae_title)
    assert "CANARY" not in receiver.said()
    assert "MRN-0815" not in receiver.said()
