"""Every threat to an upload, through the running site: one verdict each, and nothing else.

All of them go in once, in an order that changes from run to run, in batches of any size, some
files twice, by the page's way and by STOW-RS. What is expected is written beside each threat and
does not change; so a verdict that depends on order or on neighbours fails sooner or later, and
says with which seed.
"""

from __future__ import annotations

import random
import re
import secrets
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse

from config.embedded.supervisor import Stack
from imaging import storage
from imaging.models import Instance, Series, Transmittal
from imaging.services import receiving
from imaging.services.identity import OF_WHOM
from tests.imaging import threats
from tests.imaging.sending_in import Intake, Surroundings, sha256, wait_until_at_rest
from tests.imaging.test_stow import TYPE, body, reasons
from tests.imaging.threats import Bag, File, Later, Slices
from trials.models import Job, Query

State = Transmittal.State


# ------------------------------------------------------------------ the catalogue itself


def test_every_threat_of_the_catalogue_is_made():
    made = {one.threat for one in (*threats.files(), *threats.series(), *threats.bags(),
                                   *threats.later(), *threats.requests())}  # fmt: skip
    assert list(threats.TITLES) == [f"T{number}" for number in range(1, 43)]
    assert made | threats.ELSEWHERE == set(threats.TITLES)


def test_no_two_threats_are_the_same_file():
    digests = Counter(sha256(one.data) for one in threats.files())
    assert [digest for digest, count in digests.items() if count > 1] == []


# ------------------------------------------------------------------ all of them, once


@dataclass
class Day:
    """What was sent, and what the site looked like before."""

    stack: Stack
    seed: int = field(default_factory=lambda: secrets.randbits(32))
    files: list[File] = field(default_factory=threats.files)
    rows: dict[object, Transmittal] = field(default_factory=dict)
    intakes: list[Intake] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311  repeats
        self.address = self.stack.address
        self.before = Surroundings(self.stack)

    def intake(self) -> Intake:
        self.intakes.append(Intake(self.address))
        return self.intakes[-1]

    def send(self) -> Day:
        sent = [one.data for one in self.files]
        self.rows["files"] = self.intake().upload(self.batches(sent))
        self.rows["stow"] = self.stored(self.shuffled(sent))
        slices = [data for one in threats.series() for data in one.files]
        self.rows["series"] = self.intake().upload(self.batches(slices))
        for bag in threats.bags():
            self.rows[bag] = self.intake().upload(self.batches(bag.files))
        later = threats.later()
        # What comes later comes to the same site; of the same images once is enough.
        before = {one.first: self.intake() for one in later}
        for first, intake in before.items():
            self.rows[first] = intake.upload(self.batches(first))
        wait_until_at_rest(list(self.rows.values()))
        for one in later:
            intake = before[one.first]
            scan = intake.another_scan() if one.is_of_another else None
            self.rows[one] = intake.upload(self.batches(one.then), scan=scan)
            wait_until_at_rest([self.rows[one]])
        for row in self.rows.values():
            row.refresh_from_db()
        return self

    def stored(self, files: Sequence[bytes]) -> Transmittal:
        intake = self.intake()
        self.response = intake.store(files)
        # The clock would see in half a minute that nothing comes any more.
        return receiving.complete(intake.rows.get(), by=intake.user)

    def shuffled(self, files: Sequence[bytes]) -> list[bytes]:
        return self.chance.sample(files, len(files))

    def batches(self, files: Sequence[bytes]) -> list[list[bytes]]:
        """In any order and any batches; every third file once more."""
        order = self.shuffled([*files, *self.chance.sample(files, len(files) // 3)])
        cuts = sorted(self.chance.sample(range(1, len(order) + 1), min(3, len(order))))
        batches = [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]
        return [batch for batch in batches if batch]


@pytest.fixture(scope="module")
def day(site, django_db_setup, django_db_blocker) -> Iterator[Day]:
    site.look()
    with django_db_blocker.unblock():
        made = Day(site).send()
        yield made
        connection.close()


@pytest.fixture
def sent(day, committed_db) -> Day:
    return day


def verdicts(row: Transmittal) -> dict[str, tuple[str, str]]:
    return {one.sha256: (one.state, one.code) for one in row.files.all()}


def wrong(found: dict[str, tuple[str, str]], wanted: Sequence[File]) -> list[str]:
    return [
        f"{one.threat} {one.name}: {found.get(sha256(one.data))} instead of {one.verdict}"
        for one in wanted
        if found.get(sha256(one.data)) != one.verdict
    ]


@pytest.mark.live
@pytest.mark.requirement("R83")
def test_every_file_gets_its_verdict_whatever_lies_beside_it(sent):
    row = sent.rows["files"]
    assert wrong(verdicts(row), sent.files) == [], f"seed {sent.seed}"
    assert (row.state, row.code) == (State.QUANTIFIED, "")
    assert row.files.filter(archive=None).count() == len(sent.files)
    for one in sent.files:
        inside = row.files.filter(archive__sha256=sha256(one.data)).order_by("position")
        assert sorted(inside.values_list("state", "code")) == sorted(one.entries)


@pytest.mark.live
@pytest.mark.requirement("R74")
def test_over_stow_it_is_refused_at_the_door_or_gets_the_same_verdict(sent):
    kept = [one for one in sent.files if one.at_the_door is None]
    row = sent.rows["stow"]
    assert sent.response.status_code == 202
    assert wrong(verdicts(row), kept) == [], f"seed {sent.seed}"
    assert row.files.count() == len(kept)
    refused = [one.at_the_door for one in sent.files if one.at_the_door is not None]
    assert Counter(reasons(sent.response)) == Counter(refused)


@pytest.mark.live
@pytest.mark.parametrize("one", threats.series(), ids=lambda one: f"{one.threat}-{one.name}")
def test_of_every_series_it_is_told_why_it_gives_no_number(sent, one: Slices):
    found = series_of(one.files[0], sent.rows["series"])
    assert (found.state, found.code) == (one.state, one.code), f"seed {sent.seed}"
    assert found.instances.count() == len(one.files)
    assert not found.quantifications.filter(is_current=True, lesions__isnull=False).exists()


@pytest.mark.live
@pytest.mark.parametrize("bag", threats.bags(), ids=lambda one: f"{one.threat}-{one.name}")
def test_every_transmittal_gets_its_verdict(sent, bag: Bag):
    row = sent.rows[bag]
    assert (row.state, row.code) == (bag.state, bag.code), f"seed {sent.seed}"
    assert row.privacy_incidents.count() == bag.is_incident
    asked = Query.objects.filter(rule=OF_WHOM, patient=row.scheduled_scan.patient)
    assert asked.count() == bag.asks
    assert Series.objects.filter(transmittal=row).count() == bag.series


@pytest.mark.live
@pytest.mark.parametrize("one", threats.later(), ids=lambda one: f"{one.threat}-{one.name}")
def test_what_comes_later_replaces_nothing(sent, one: Later):
    row, first = sent.rows[one], sent.rows[one.first]
    assert (first.state, row.state, row.code) == (State.QUANTIFIED, one.state, one.code)
    assert row.privacy_incidents.count() == one.is_incident
    of_first = Instance.objects.filter(series__transmittal=first)
    assert of_first.count() == len(one.first)
    assert {item.received_file.transmittal for item in of_first} == {first}
    assert not Instance.objects.filter(received_file__transmittal=row).exists()


# ------------------------------------------------------------------ and nothing else


@pytest.mark.live
def test_no_request_failed_and_nobody_was_started_again(sent):
    answers = sum((one.statuses for one in sent.intakes), Counter())
    assert set(answers) == {200, 201, 202}
    assert sent.before.same_processes
    assert not Job.objects.filter(actor__in=[one.user for one in sent.intakes]).exclude(
        state=Job.State.DONE, attempts=1
    )


@pytest.mark.live
@pytest.mark.requirement("R71")
def test_nothing_is_written_outside_the_store(sent):
    assert sent.before.new_files == set()
    stores = {path.name for path in (settings.STORAGE / "quarantine").rglob("*")}
    assert all(re.fullmatch(r"[0-9a-f]{2,64}|spool", name) for name in stores)


WORDS = [threats.CANARY, threats.PATIENT, *threats.CANARIES.values()]


@pytest.mark.live
@pytest.mark.requirement("R101")
def test_no_canary_is_in_a_row_or_in_the_arguments_of_a_job(sent):
    likes = [f"%{word}%" for word in WORDS]
    likes += [f"%{word.encode().hex()}%" for word in WORDS]
    assert in_database(likes) == {}
    # The same question finds what is there.
    assert "imaging_transmittal" in in_database(["%several-patients%"])


def in_database(likes: list[str]) -> dict[str, int]:
    """Tables with rows that hold something like this in any column."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(
                f'select count(*) from "{table}" t where t::text ilike any(%s)',  # noqa: S608  names of our own tables
                [likes],
            )
            (found[table],) = cursor.fetchone()
    return {table: count for table, count in found.items() if count}


@pytest.mark.live
@pytest.mark.requirement("R104")
def test_no_canary_is_in_an_archived_file_or_in_a_name(sent):
    rows = [sent.rows[name] for name in ("files", "stow", "series")]
    held = list(Instance.objects.filter(series__transmittal__in=rows))
    assert len(held) > 100
    written = {word.encode(code) for word in WORDS for code in ("utf-8", "utf-16-le")}
    written |= {
        name.encode(code)
        for (charset, name), code in zip(threats.CANARIES.items(), CODECS, strict=True)
        if charset
    }
    for one in held:
        data = storage.archive.read(one.sha256)
        assert data[:132] == bytes(128) + b"DICM"
        assert not [word for word in written if word in data]
    assert not [one for one in Path(settings.STORAGE).rglob("*") if threats.CANARY in one.name]


# How each of the canaries stands in its file.
CODECS = ["latin_1", "iso8859_2", "iso8859_5", "iso8859_7", "iso8859_6", "iso8859_8", "utf-8",
          "gb18030", "iso2022_jp"]  # fmt: skip


@pytest.mark.live
@pytest.mark.requirement("R73")
def test_the_logs_stay_short_and_name_nobody(sent):
    logged = sent.before.logged
    assert "imaging" in logged or "config" in logged
    assert not [word for word in WORDS if word in logged]
    assert "Traceback" not in logged
    assert max(map(len, logged.splitlines())) < 1000
    assert len(logged) < 200_000


@pytest.mark.live
@pytest.mark.requirement("R40")
def test_pages_show_what_headers_say_as_text_alone(sent):
    texts = [*around(sent.rows["files"]), *around(sent.rows["series"])]
    row = sent.rows["series"]
    client = signed_in(row)
    for one in threats.series():
        texts.append(shown(client, "series", series_of(one.files[0], row).pk))
        assert one.quoted in texts[-1]
    (script,) = [one.data for one in sent.files if one.threat == "T39"]
    row = sent.rows["files"]
    texts.append(shown(signed_in(row), "series", series_of(script, row).pk))
    for text in texts:
        assert "<IMG" not in text
        assert "<script>" not in text
        assert threats.CANARY not in text


def series_of(data: bytes, row: Transmittal) -> Series:
    """What an image of a transmittal became part of."""
    return row.series.get(instances__received_file__sha256=sha256(data))


def around(row: Transmittal) -> list[str]:
    """The pages on which something of a transmittal stands, as its sender sees them."""
    client, scan = signed_in(row), row.scheduled_scan
    return [
        shown(client, "transmittal", row.pk),
        shown(client, "scan", scan.pk),
        shown(client, "patient", scan.patient_id),
        shown(client, "transmittals"),
        shown(client, "queries"),
    ]


def signed_in(row: Transmittal) -> Client:
    client = Client()
    client.force_login(row.sent_by)
    return client


def shown(client: Client, name: str, *given: int) -> str:
    response = client.get(reverse(name, args=given))
    assert response.status_code == 200
    return response.content.decode()


# ------------------------------------------------------------------ at the door


ADDRESSES = {
    "stow": ("POST", "/dicom-web/scans/{scan}/studies", TYPE),
    "files": ("POST", "/api/v1/transmittals/{row}/files/", "multipart/form-data; boundary=edge"),
    "piece": ("PUT", "/api/v1/partial-uploads/1/?offset=0", "application/octet-stream"),
    "json": ("POST", "/api/v1/scans/{scan}/transmittals/", "application/json"),
    "page": ("POST", "/login/", "multipart/form-data; boundary=edge"),
    "form": ("POST", "/transmittals/{row}/retry/", "application/x-www-form-urlencoded"),
}


@pytest.mark.live
@pytest.mark.requirement("T38")
@pytest.mark.parametrize("way", ADDRESSES)
@pytest.mark.parametrize("asked", threats.requests(), ids=lambda one: one.name)
def test_a_body_that_nobody_reads_is_refused_at_the_door(live_stack, way, asked):
    intake = Intake(live_stack)
    method, path, kind = ADDRESSES[way]
    place = urlsplit(live_stack)
    row = receiving.open_transmittal(intake.scan, by=intake.user)
    lines = [
        f"{method} {path.format(scan=intake.scan.pk, row=row.pk)} HTTP/1.1",
        f"Host: {place.netloc}",
        f"Authorization: Bearer {intake.token}",
        f"Cookie: csrftoken={'x' * 32}",
        f"Content-Type: {kind}",
        *(f"{name}: {value}" for name, value in asked.headers.items()),
    ]
    begun = time.monotonic()
    with socket.create_connection((place.hostname, place.port), timeout=20) as asking:
        asking.sendall("\r\n".join([*lines, "", ""]).encode())
        status = asking.makefile("rb").readline()
    assert f" {asked.status} ".encode() in status
    assert time.monotonic() - begun < 5
    assert not row.files.exists()


@pytest.mark.live
@pytest.mark.requirement("T41")
def test_with_the_token_of_another_site_nothing_is_there(live_stack):
    intake, stranger = Intake(live_stack), Intake(live_stack)
    row = receiving.open_transmittal(intake.scan, by=intake.user)
    asked = [
        ("POST", f"/api/v1/scans/{intake.scan.pk}/transmittals/", {"json": {}}),
        ("GET", f"/api/v1/transmittals/{row.pk}/", {}),
        ("GET", f"/api/v1/transmittals/{row.pk}/files/", {}),
        ("POST", f"/api/v1/transmittals/{row.pk}/files/", {"files": {"files": b"x"}}),
        ("POST", f"/api/v1/transmittals/{row.pk}/missing/", {"json": {"sha256s": ["0" * 64]}}),
        ("POST", f"/api/v1/transmittals/{row.pk}/complete/", {"json": {}}),
        ("POST", f"/api/v1/transmittals/{row.pk}/retry/", {"json": {}}),
        ("POST", f"/api/v1/transmittals/{row.pk}/assign/", {"json": {"scan": stranger.scan.pk}}),
        ("POST", f"/api/v1/transmittals/{row.pk}/partial-uploads/",
         {"json": {"sha256": "0" * 64, "size": 10**8}}),
        ("POST", f"/dicom-web/scans/{intake.scan.pk}/studies", {"data": body(b"x")}),
        ("POST", f"/dicom-web/sites/{intake.site.pk}/studies", {"data": body(b"x")}),
    ]  # fmt: skip
    for method, path, given in asked:
        headers = {"Content-Type": TYPE} if "data" in given else {}
        found = stranger.session.request(
            method, f"{live_stack}{path}", headers=headers, timeout=30, **given
        )
        assert found.status_code == 404, (path, found.text)
    assert not row.files.exists()
    assert Transmittal.objects.filter(site=stranger.site).count() == 0
