"""Nothing is released but with its proofs, and nothing where one does not hold."""

from __future__ import annotations

import shutil

import pytest
from django.db import ProgrammingError, transaction

from imaging import proofs, storage
from imaging.models import DeidentificationProof, Instance, Series, Transmittal
from imaging.services import second_parser
from tests import factories
from tests.imaging.test_intake import a_slice, sent
from trials.models import AuditEvent
from trials.roles import Role

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage", "fdg")]

Kind = DeidentificationProof.Kind
State = Transmittal.State


@pytest.fixture
def files(dataset):
    return [a_slice(dataset, n) for n in (1, 2, 3)]


@pytest.fixture
def parser_named_dcmdump(tmp_path, monkeypatch):
    """Puts a program of that name first on the path."""

    def put(program: str) -> None:
        path = tmp_path / "bin" / "dcmdump"
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\n{program}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(path.parent), prepend=":")

    return put


def outcomes(series) -> dict[str, bool]:
    return {one.kind: one.is_held for one in series.proofs.all()}


@pytest.mark.requirement("R101")
def test_a_released_series_has_every_proof_and_each_is_audited(scan, coordinator, files):
    transmittal = sent(scan, files, coordinator)
    series = Series.objects.get(transmittal=transmittal)
    expected = dict.fromkeys(Kind.values, True)
    if not shutil.which("dcmdump"):
        expected[Kind.SECOND_PARSER] = False
    assert outcomes(series) == expected
    for one in series.proofs.all():
        assert "CANARY" not in one.detail
        assert one.table_version
        assert one.software_version
    rows = [str(key) for key in series.proofs.values_list("pk", flat=True)]
    trail = AuditEvent.objects.filter(table="imaging_deidentificationproof", row__in=rows)
    assert trail.count() == len(Kind)


def test_images_that_come_later_have_proofs_of_their_own(scan, coordinator, dataset, files):
    sent(scan, files, coordinator)
    second = sent(scan, [a_slice(dataset, n) for n in (4, 5)], coordinator)
    series = Series.objects.get(imaging_study__scheduled_scan=scan)
    assert series.proofs.count() == 2 * len(Kind)
    assert second.proofs.count() == len(Kind)


@pytest.mark.requirement("R101")
def test_without_dcmdump_its_proof_is_not_made_and_says_so(
    scan, coordinator, files, monkeypatch, tmp_path
):
    monkeypatch.setenv("PATH", str(tmp_path))
    transmittal = sent(scan, files, coordinator)
    assert transmittal.state == State.ASSEMBLED
    proof = transmittal.proofs.get(kind=Kind.SECOND_PARSER)
    assert (proof.is_held, proof.detail) == (False, "Not made: dcmdump is not installed.")


def assert_nothing_is_released(transmittal, said: str) -> None:
    assert (transmittal.state, transmittal.code) == (State.QUARANTINED, "proof-failed")
    assert said in transmittal.message
    assert "CANARY" not in transmittal.message
    assert not Instance.objects.filter(received_file__transmittal=transmittal).exists()
    assert not Series.objects.filter(transmittal=transmittal).exists()
    assert not DeidentificationProof.objects.filter(transmittal=transmittal).exists()
    # Nor does what was written stay in the archive, where no row would name it.
    assert not [path for path in storage.archive.folder.rglob("*") if path.is_file()]


@pytest.mark.requirement("R100")
@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("exit 1", "could not read"),
        ("yes '(0008,0018) UI'", "more than such files have"),
        ("echo '# dcmdump (1/1): one'; echo '(0008,0080) LO [ZZCANARY]'", "could not read every"),
        (
            "[ $# = 1 ] || shift 2\n"
            "for f; do echo '# dcmdump (1/1): f'; echo '(0008,0080) LO [ZZCANARY]'; done",
            "beyond the keep-list: (0008,0080)",
        ),
    ],
    ids=["that fails", "that prints without end", "of one file", "that lists more"],
)
def test_a_second_parser_that_finds_fault_keeps_everything_back(
    scan, coordinator, files, parser_named_dcmdump, program, said
):
    parser_named_dcmdump(f"PATH=/usr/bin:/bin\n{program}")
    transmittal = sent(scan, files, coordinator)
    assert_nothing_is_released(transmittal, said)
    assert "Second parser" in transmittal.message


@pytest.mark.requirement("R100")
def test_a_second_parser_that_never_ends_is_ended(
    scan, coordinator, files, parser_named_dcmdump, monkeypatch
):
    monkeypatch.setattr(second_parser, "SECONDS", 0.2)
    parser_named_dcmdump("exec /bin/sleep 600")
    assert_nothing_is_released(sent(scan, files, coordinator), "not in time")


@pytest.mark.requirement("R100")
def test_a_table_that_was_changed_keeps_everything_back(scan, coordinator, files, monkeypatch):
    monkeypatch.setattr(proofs, "KNOWN_TABLES", {})
    assert_nothing_is_released(sent(scan, files, coordinator), "it was changed")


@pytest.mark.requirement("R100")
def test_one_series_at_fault_keeps_the_others_back(scan, coordinator, dataset, files, monkeypatch):
    other = [a_slice(dataset, n, SeriesInstanceUID="1.2.9.9") for n in (11, 12)]
    real = proofs.of_pixels

    def fails_on_two(evidence):
        proof = real(evidence)
        return proofs._failed(proof.kind, "planted") if len(evidence) == 2 else proof

    monkeypatch.setattr(proofs, "of_pixels", fails_on_two)
    assert_nothing_is_released(sent(scan, files + other, coordinator), "planted")


def test_a_proof_can_not_be_changed_afterwards(scan, coordinator, files):
    transmittal = sent(scan, files, coordinator)
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
        factories.framed(),
    ):
        transmittal.proofs.update(is_held=True)


def test_page_and_api_show_the_proofs(client, pet_site, scan, coordinator, files):
    series = Series.objects.get(transmittal=sent(scan, files, coordinator))
    client.force_login(factories.make_user(Role.MONITOR, trial=pet_site.trial))
    text = client.get(f"/series/{series.pk}/").content.decode()
    for one in series.proofs.all():
        assert one.get_kind_display() in text
    answer = client.get(f"/api/v1/series/{series.pk}/").json()
    assert {one["kind"] for one in answer["proofs"]} == set(Kind.values)
    assert all(one["detail"] for one in answer["proofs"])
