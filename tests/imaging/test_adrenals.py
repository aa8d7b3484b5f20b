"""The adrenals of a run: compared, signed, handed over, shown with how they came about."""

from __future__ import annotations

import math

import pytest
from django.urls import reverse
from django.utils import timezone

from imaging.models import Quantification
from imaging.selectors import adrenals, regions
from imaging.selectors import reads as selecting
from imaging.services import quantification, reads
from tests import factories, records
from tests.factories import framed
from trials.models import Finding, ProtocolVersion, User
from trials.roles import Role

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage")]

# Stored 20 000 in the hot block and 1000 around it, by the slices that are made here.
RATIO = 20.0
RULE = {"cut_off": 1.5, "boundary": "at_least", "tolerance_minutes": 3, "source": ["DEMO"]}


def measured(scan, everyone, *, minutes: float | None) -> Quantification:
    """A run under a protocol with a cut-off at some minutes after injection."""
    version = scan.planned_scan.version
    rules = [] if minutes is None else [RULE | {"minutes": minutes}]
    definition = version.definition | {"lateralisation": rules, "sources": {"DEMO": "Demo"}}
    with framed():
        ProtocolVersion.objects.filter(pk=version.pk).update(definition=definition)
    run = records.make_measured(scan, by=everyone)
    records.stand_for_adrenals(run, by=everyone)
    return run


@pytest.fixture
def reader(pet_site) -> User:
    return factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site)


def signed(run: Quantification, reader: User):
    read = reads.open_read(run.series, by=reader)
    (row,) = selecting.rows_of(read)
    reads.decide(row, by=reader, decision="excluded", organ="liver", reason="normal")
    reads.sign(read, by=reader, password=factories.PASSWORD)
    read.refresh_from_db()
    return read


def test_a_signed_read_hands_both_adrenals_to_the_trial_with_the_side(scan, everyone, reader):
    at = records.make_measured(scan, by=everyone).uptake_minutes
    run = measured(scan, everyone, minutes=at)
    read = signed(run, reader)
    found = {one.test: one for one in Finding.objects.filter(source_pk=read.pk)}
    assert found["ADRRATIO"].number == pytest.approx(RATIO, rel=1e-5)
    assert found["ADRINDEX"].number == pytest.approx(math.log(RATIO), rel=1e-5)
    assert found["ADRSIDE"].text == "left"
    assert found["ADRMAXL"].number / found["ADRMAXR"].number == pytest.approx(RATIO, rel=1e-5)
    over = f"{found['ADRMAXL'].number:.4g} / {found['ADRMAXR'].number:.4g} g/mL"
    assert found["ADRRATIO"].method == f"{over}, {at:.1f} min after injection"
    # No reader stands for a liver.
    assert "ADRLIVL" not in found
    assert reads.is_as_signed(read)
    assert reads.content_of(read)["adrenals"]["side"] == "left"


@pytest.mark.parametrize(
    ("minutes", "why"),
    [(10.0, "belongs to 10 ± 3 min after injection"), (None, "states no cut-off")],
)
def test_a_cut_off_of_another_time_calls_no_side(scan, everyone, reader, minutes, why):
    run = measured(scan, everyone, minutes=minutes)
    read = signed(run, reader)
    side = Finding.objects.get(source_pk=read.pk, test="ADRSIDE")
    assert (side.text, side.result) == ("not_evaluable", "not evaluable")
    assert why in adrenals.of_read(read).found.why
    assert Finding.objects.filter(source_pk=read.pk, test="ADRRATIO").exists()


def test_a_proposed_adrenal_is_not_compared(scan, everyone):
    run = records.make_measured(scan, by=everyone)
    records.propose(run, "adrenal_left")
    records.propose(run, "adrenal_right")
    assert adrenals.compared(run, regions.in_force(run)) is None


def test_two_beds_are_both_held_to_the_time_of_the_cut_off(scan, everyone):
    run = measured(scan, everyone, minutes=10.0)
    left, right = run.reference_regions.order_by("kind")
    for times, minutes in (((9.0, 14.0), 14.0), ((6.0, 11.0), 6.0), ((9.0, None), None)):
        left.uptake_minutes, right.uptake_minutes = times
        assert adrenals.compared(run, [left, right]).found.minutes == minutes


def test_beds_at_the_times_of_two_cut_offs_call_no_side_whichever_is_left(scan, everyone):
    run = measured(scan, everyone, minutes=10.0)
    run.parameters["lateralisation"].append(RULE | {"cut_off": 1.65, "minutes": 40.0, "source": ""})
    left, right = run.reference_regions.order_by("kind")
    for times in ((9.0, 41.0), (41.0, 9.0)):
        left.uptake_minutes, right.uptake_minutes = times
        found = adrenals.compared(run, [left, right])
        assert (found.side, found.rule) == ("not_evaluable", None)
        assert found.values["ratio"] == pytest.approx(RATIO, rel=1e-5)
        node = adrenals.derivation(found, "side", with_origin=True)
        for said in (found.because, str(node.inputs[0].value)):
            assert f"eft adrenal was seen at {times[0]}" in said
            assert f"right adrenal was seen at {times[1]}" in said
    left.uptake_minutes, right.uptake_minutes = 39.0, 42.0
    found = adrenals.compared(run, [left, right])
    assert (found.side, found.rule.cut_off) == ("left", 1.65)


def test_a_region_knows_its_volume_and_when_its_bed_began(scan, everyone):
    run = measured(scan, everyone, minutes=None)
    region = run.reference_regions.get(kind="adrenal_left")
    _, grid = quantification.volume_of(run)
    assert region.volume_ml == pytest.approx(region.voxel_count * math.prod(grid.spacing) / 1000)
    # One bed: the slices of the made series are of one time.
    assert region.uptake_minutes == run.uptake_minutes


def test_the_reader_sees_both_adrenals_without_a_name_or_a_day(client, scan, everyone, reader):
    run = measured(scan, everyone, minutes=10.0)
    client.force_login(reader)
    page = client.get(reverse("reading", args=[run.series.reading_identifier])).content.decode()
    assert "Adrenals compared" in page
    assert "The cut-off 1.5 belongs to 10 ± 3 min" in page
    for which in ("ratio", "index", "side"):
        address = reverse("adrenal_derivation", args=[run.pk, which])
        assert address in page
        told = client.get(address).content.decode()
        assert "SUVmax of left adrenal" in told
        assert scan.patient.identifier not in told
    assert client.get(reverse("adrenal_derivation", args=[run.pk, "liver_left"])).status_code == 404
    assert client.get(reverse("adrenal_derivation", args=[run.pk, "suvmax"])).status_code == 404


def test_a_signed_read_shows_them_as_they_stood(client, pet_site, scan, everyone, reader):
    run = measured(scan, everyone, minutes=10.0)
    read = signed(run, reader)
    monitor = factories.make_user(Role.MONITOR, trial=pet_site.trial)
    right = run.reference_regions.get(kind="adrenal_right", replaced_at=None)
    with framed():
        run.reference_regions.filter(pk=right.pk).update(replaced_at=timezone.now())
    client.force_login(monitor)
    page = client.get(reverse("read", args=[read.pk])).content.decode()
    assert f"{RATIO:.2f}</a>" in page
    at = reverse("adrenal_derivation", args=[run.pk, "ratio"])
    assert client.get(f"{at}?read={read.pk}").status_code == 200
    assert client.get(at).status_code == 404
    # Whoever may read here does not see what another signed.
    client.force_login(reader)
    assert client.get(f"{at}?read={read.pk}").status_code == 404
