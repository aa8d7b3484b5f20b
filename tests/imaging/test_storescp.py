"""What a scanner sends by C-STORE: the real storescu against the real receiver.

Rows stay in the database of the run: each test has a trial, a site and a node of its own.
"""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pydicom
import pytest
from django.core.management import CommandError, call_command
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)
from pynetdicom import AE
from pynetdicom.sop_class import Verification

from config.embedded.supervisor import ROOT
from imaging import storage
from imaging.models import DicomContact, ReceivedFile, Transmittal
from imaging.services import nodes
from imaging.services.parser import Parser
from imaging.services.receiving import MAXIMUM_FILE_BYTES
from tests import factories
from tests.imaging.sending import Receiver, Sent, command, storescu
from tests.imaging.sending import receiving as received_by
from tests.imaging.test_intake import a_slice
from tests.serving import served, wait_for
from trials.roles import Role
from trials.services import sites

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


@pytest.mark.parametrize("move", [sites.suspend, sites.close])
def test_a_site_that_is_suspended_or_closed_receives_nothing(site, node, receiver, written, move):
    move(site, reason="inspection", by=data_manager(site))
    sent = storescu(receiver.port, written(1), called=node.called_ae_title)
    assert sent.code != 0
    assert "Rejected Permanent" in sent.output
    assert f"calling {node.called_ae_title!r}: rejected, the site" in receiver.said()
    assert DicomContact.objects.get(node=node).refusal.endswith("is suspended or closed")
    assert files_of(site) == []


def test_a_site_suspended_in_mid_send_takes_no_more_and_keeps_what_was_acknowledged(
    site, node, receiver, written
):
    (first, *others) = written(3)
    ae = AE(ae_title="PETCT1")
    ae.add_requested_context(PositronEmissionTomographyImageStorage, ExplicitVRLittleEndian)
    association = ae.associate("127.0.0.1", receiver.port, ae_title=node.called_ae_title)
    assert association.send_c_store(pydicom.dcmread(first)).Status == 0
    sites.suspend(site, reason="inspection", by=data_manager(site))
    refused = {0x0124}
    wait_for(lambda: association.send_c_store(pydicom.dcmread(others[0])).Status in refused, 30)
    assert association.send_c_store(pydicom.dcmread(others[1])).Status in refused
    association.release()
    assert "an object for a site that is suspended or closed" in receiver.said()
    held = {row.sha256 for row in filed(site, 1)}
    images = {
        pydicom.dcmread(io.BytesIO(storage.quarantine.read(one))).SOPInstanceUID for one in held
    }
    assert images >= instances_in([first])
    assert not images & instances_in([others[1]])


def data_manager(site):
    return factories.make_user(Role.DATA_MANAGER, trial=site.trial)


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


def test_several_send_at_once(site, manager, receiver, written):
    names = [registered(site, manager).called_ae_title for _ in range(4)]
    batches = [written(20, StudyInstanceUID=f"1.2.{n}") for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        done = pool.map(
            lambda n: storescu(receiver.port, batches[n], calling=f"PETCT{n}", called=names[n]),
            range(4),
        )
    assert [len(one.acknowledged) for one in done] == [20] * 4
    assert len(filed(site, 80)) == 80
    assert Transmittal.objects.filter(site=site).count() == 4


def test_more_associations_than_are_served_are_told_to_come_again(node, place):
    with received_by(place, "--associations", "2") as receiver, ExitStack() as ended:
        first, second = (asked(receiver, node) for _ in range(2))
        for one in (first, second):
            ended.callback(one.release)
        third = asked(receiver, node)
        assert (first.is_established, second.is_established) == (True, True)
        assert third.is_rejected
        # Transient, of the provider, local limit exceeded.
        answer = third.acceptor.primitive
        assert (answer.result, answer.result_source, answer.diagnostic) == (2, 3, 2)


def asked(receiver, node):
    ae = AE(ae_title="PETCT1")
    ae.add_requested_context(Verification)
    return ae.associate("127.0.0.1", receiver.port, ae_title=node.called_ae_title)


def test_an_object_too_large_and_one_too_many_are_refused_and_others_taken(
    site, node, place, written
):
    small = written(3)
    (large,) = written(1, PixelData=bytes(MAXIMUM_FILE_BYTES))
    with received_by(place, "--objects", "2") as receiver:
        paths = [small[0], large, *small[1:]]
        sent = storescu(receiver.port, paths, "-nh", called=node.called_ae_title)
        assert sent.acknowledged == small[:2], sent.output
        assert sent.output.count("OutOfResources") == 2
        assert len(filed(site, 2)) == 2
        assert f"over {MAXIMUM_FILE_BYTES} bytes" in receiver.said()


def test_a_length_that_nobody_sends_ends_the_connection_alone(node, receiver, written):
    for head in (b"\x01\x00\xff\xff\xff\xff", b"\x99\x00\x00\x00\x00\x00"):
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=30) as hostile:
            hostile.sendall(head)
            hostile.settimeout(30)
            while hostile.recv(100):
                pass
    assert storescu(receiver.port, written(1), called=node.called_ae_title).code == 0


def test_silent_connections_are_bounded(node, place):
    with received_by(place, "--associations", "1") as receiver, ExitStack() as ended:
        address = ("127.0.0.1", receiver.port)
        for _ in range(2):
            ended.enter_context(socket.create_connection(address, timeout=30))
        turned_away = ended.enter_context(socket.create_connection(address, timeout=30))
        assert turned_away.recv(1) == b""
        wait_for(lambda: "turned away" in receiver.said(), 10)


def test_it_ends_when_asked_with_everything_filed(site, node, place, written):
    with received_by(place) as receiver:
        paths = written(10)
        sent = storescu(receiver.port, paths, called=node.called_ae_title)
        assert receiver.stop() == 0
    assert len(files_of(site)) == len(sent.acknowledged) == 10
    assert list((place / "journal").glob("*.journal")) == []


def test_two_do_not_receive_for_one_storage(receiver):
    words = [sys.executable, "manage.py", "storescp", "--port", "0"]
    second = subprocess.run(
        words, env=receiver.environment, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert second.returncode != 0
    assert "Another storescp receives" in second.stderr


def certificate(folder: Path, name: str) -> tuple[str, str]:
    """A key and a certificate that vouches for itself."""
    key, cert = str(folder / f"{name}.key"), str(folder / f"{name}.pem")
    subject = ["-subj", f"/CN={name}", "-days", "2", "-newkey", "rsa:2048", "-nodes"]
    words = ["openssl", "req", "-x509", *subject, "-keyout", key, "-out", cert]
    subprocess.run(words, check=True, capture_output=True)
    return key, cert


def test_over_tls_callers_without_a_certificate_are_refused(site, node, place, tmp_path, written):
    key, cert = certificate(tmp_path, "receiver")
    own_key, own = certificate(tmp_path, "scanner")
    words = ["--tls-cert", cert, "--tls-key", key, "--tls-ca", own]
    with received_by(place, *words) as receiver:
        # Who connects and is silent keeps nobody waiting.
        with socket.create_connection(("127.0.0.1", receiver.port)):
            ours = ["+tls", own_key, own, "+cf", cert]
            sent = storescu(receiver.port, written(5), *ours, called=node.called_ae_title)
        assert (sent.code, len(sent.acknowledged)) == (0, 5), sent.output
        anonymous = ["+tla", "+cf", cert]
        assert storescu(receiver.port, written(1), *anonymous, called=node.called_ae_title).code
        assert storescu(receiver.port, written(1), called=node.called_ae_title).code
        assert len(filed(site, 5)) == 5


def test_tls_files_that_do_not_fit_are_named(tmp_path, place):
    _, cert = certificate(tmp_path, "receiver")
    other_key, _ = certificate(tmp_path, "other")
    words = ["storescp", "--port", "0", "--tls-cert", cert, "--tls-key", other_key]
    with pytest.raises(CommandError, match="TLS files can't be used"):
        call_command(*words)


def test_nothing_of_what_was_sent_is_in_the_log(node, receiver, written):
    storescu(receiver.port, written(2), called=node.called_ae_title)
    assert "CANARY" not in receiver.said()
    assert "MRN-0815" not in receiver.said()


def instances_of(site) -> set[str]:
    """The SOP Instance UIDs of what is in the ledger and on disk."""
    held = (storage.quarantine.read(row.sha256) for row in files_of(site))
    return {pydicom.dcmread(io.BytesIO(content)).SOPInstanceUID for content in held}


def instances_in(paths) -> set[str]:
    return {pydicom.dcmread(path).SOPInstanceUID for path in paths}


def everything_is_filed(place: Path) -> bool:
    return not list((place / "journal").glob("*.journal"))


@pytest.mark.faults
@pytest.mark.parametrize("after", [1, 20, 60])
def test_killed_in_mid_send_nothing_that_was_acknowledged_is_lost(
    site, node, place, written, tmp_path, after
):
    paths, said = written(300), tmp_path / "said"
    receiver = Receiver(place).start()
    with said.open("w") as output:
        sender = subprocess.Popen(
            command(receiver.port, paths, called=node.called_ae_title),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    wait_for(lambda: len(Sent(0, said.read_text()).acknowledged) >= after, 60)
    receiver.kill()
    sender.wait(60)
    acknowledged = Sent(0, said.read_text()).acknowledged
    assert after <= len(acknowledged) < len(paths)
    with received_by(place) as again:
        wait_for(lambda: everything_is_filed(place), FILED_SECONDS)
        assert instances_in(acknowledged) <= instances_of(site)
        # Sent again, what is there already is there once.
        assert storescu(again.port, paths, called=node.called_ae_title).code == 0
        wait_for(lambda: instances_of(site) == instances_in(paths), FILED_SECONDS)
    assert len(files_of(site)) == len(paths)


@pytest.mark.faults
def test_on_a_full_disk_objects_are_refused_and_the_association_goes_on(
    site, node, tmp_path, settings, written
):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small disk can be mounted by root alone")
    settings.STORAGE = place = disk / "storage"
    paths = written(30, PixelData=bytes(2**20))
    try:
        with received_by(place, "--reserve", "4") as receiver:
            ballast = disk / "ballast"
            ballast.write_bytes(bytes(5 * 2**20))
            words = [receiver.port, paths[:20], "-nh"]
            first = storescu(*words, called=node.called_ae_title)
            refused = first.output.count("OutOfResources")
            assert refused
            assert len(first.acknowledged) + refused == 20, first.output
            ballast.unlink()
            second = storescu(receiver.port, paths[20:22], called=node.called_ae_title)
            assert len(second.acknowledged) == 2, second.output
            wait_for(lambda: everything_is_filed(place), FILED_SECONDS)
            kept = instances_in([*first.acknowledged, *second.acknowledged])
            assert instances_of(site) == kept
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.faults
def test_with_the_database_killed_in_mid_send_nothing_that_was_acknowledged_is_lost(
    written, settings, tmp_path
):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    said, paths = tmp_path / "said", written(200)
    with served(TRIALTRACE_STORESCP_PORT=str(port)) as own:
        settings.STORAGE = place = own.folder / "storage"
        own.python(NODE)
        wait_for(lambda: storescu(port, paths[:1], called="FAULTS").code == 0, 60)
        with said.open("w") as output:
            sender = subprocess.Popen(
                command(port, paths, called="FAULTS"), stdout=output, stderr=subprocess.STDOUT
            )
        wait_for(lambda: len(Sent(0, said.read_text()).acknowledged) >= 20, 60)
        os.kill(own.part("PostgreSQL"), signal.SIGKILL)
        # An association that was let in before needs no database.
        assert sender.wait(120) == 0
        assert len(Sent(0, said.read_text()).acknowledged) == len(paths)
        wait_for(lambda: everything_is_filed(place), 120)
        rows = wait_for(lambda: own.sql(HELD), 60)
        held = (storage.quarantine.read(digest) for (digest,) in rows)
        found = {pydicom.dcmread(io.BytesIO(content)).SOPInstanceUID for content in held}
        assert (found, len(rows)) == (instances_in(paths), len(paths))


HELD = """
select sha256 from imaging_receivedfile where transmittal_id in
    (select id from imaging_transmittal where source = 'store')
"""
NODE = """
from imaging.models import DicomNode
from tests import factories
from trials.models import Site
from trials.services import jobs

site = Site.objects.get(trial__identifier="FAULTS")
with factories.framed():
    DicomNode.objects.create(
        site=site, called_ae_title="FAULTS", registered_by=jobs.system_user()
    )
"""
