"""Trial files become trials and protocol versions; loading twice is loading once."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests import factories
from trials import protocol
from trials.models import EligibilityCriterion, PlannedScan, ProtocolVersion, Tracer, Trial
from trials.roles import Role
from trials.services import jobs, protocols
from trials.services.errors import Forbidden, Invalid

pytestmark = pytest.mark.django_db

DEFINITIONS = sorted((Path(protocol.__file__).parent / "definitions").glob("*.yaml"))
DEMO = next(one for one in DEFINITIONS if one.stem == "demo").read_text()


def load(text=DEMO, **options):
    return protocols.load_trial(text, by=jobs.system_user(), **options)


def rows() -> dict[str, int]:
    tables = (Trial, ProtocolVersion, Tracer, PlannedScan, EligibilityCriterion)
    return {table.__name__: table.objects.count() for table in tables}


def test_every_trial_file_loads_and_the_second_time_changes_nothing():
    first = [load(file.read_text()) for file in DEFINITIONS]
    loaded = rows()
    second = [load(file.read_text()) for file in DEFINITIONS]
    assert all(one.changes for one in first)
    assert [one.changes for one in second] == [[]] * len(DEFINITIONS)
    assert [one.version for one in second] == [one.version for one in first]
    assert rows() == loaded


def test_the_demo_trial_plans_both_tracers_with_their_limits():
    load()
    planned = PlannedScan.objects.filter(version__trial__identifier="DEMO").select_related("tracer")
    assert {
        scan.identifier: (scan.tracer.radionuclide, scan.requires_ct, scan.segmentation["suv"])
        for scan in planned
    } == {"ptf": ("Ga-68", True, 4.0), "fdg": ("F-18", True, 4.0)}
    assert Trial.objects.get(identifier="DEMO").is_demo


def test_a_conflict_between_sources_stays_a_conflict_in_the_record():
    trial = load(next(one for one in DEFINITIONS if one.stem == "NCT06125028").read_text()).trial
    conflicts = trial.newest_version.criteria.filter(provenance="conflict")
    assert list(conflicts.values_list("identifier", flat=True)) == ["I4", "E2"]
    assert trial.phase == "Phase 2 or Phase 3 (sources disagree)"


def test_what_is_unknown_is_empty_and_has_no_limit():
    trial = load(next(one for one in DEFINITIONS if one.stem == "NCT04561492").read_text()).trial
    tracer = Tracer.objects.get(version__trial=trial)
    assert (trial.title, trial.sponsor) == ("", "")
    assert (tracer.activity_target_mbq, tracer.activity_low_mbq, tracer.activity_high_mbq) == (
        None,
        None,
        None,
    )


def test_a_window_that_is_only_proposed_holds_nobody_to_it(client):
    trial = load((DEFINITIONS[0].parent / "NCT05222269.yaml").read_text()).trial
    windows = PlannedScan.objects.filter(version__trial=trial)
    assert {(plan.uptake_low_minutes, plan.uptake_high_minutes) for plan in windows} == {
        (None, None)
    }
    client.force_login(factories.make_user(Role.MONITOR, trial=trial))
    page = client.get(f"/trials/{trial}/").content.decode()
    assert "30 to 60 min <span" in page
    assert "Proposed, confirm with the protocol" in page


def test_a_changed_file_is_a_new_version_and_the_old_one_stays():
    first = load().version
    changed = load(DEMO.replace("value: 18", "value: 21"))
    assert (changed.version.number, len(changed.changes)) == (2, 1)
    old, new = (
        version.criteria.get(identifier="I1").expression["value"]
        for version in (first, changed.version)
    )
    assert (old, new) == (18, 21)
    assert changed.trial.newest_version == changed.version


def test_the_key_of_the_uids_is_random_and_stays():
    key = bytes(load().trial.uid_key)
    other = load(DEMO.replace("identifier: DEMO", "identifier: DEMO2")).trial
    changed = load(DEMO.replace("value: 18", "value: 21")).trial
    assert len(key) == 32
    assert bytes(other.uid_key) != key
    assert bytes(changed.uid_key) == key


def test_a_dry_run_tells_and_writes_nothing():
    told = load(dry_run=True)
    assert (told.trial, told.changes) == (
        None,
        [
            "New trial DEMO: identifiers 1, objectives 1, arms 1, cohorts 2, sites 3, epochs 3, "
            "visits 4, consent versions 1, tracers 2, planned scans 2, criteria 12, forms 18."
        ],
    )
    assert not Trial.objects.filter(identifier="DEMO").exists()
    load()
    before = rows()
    assert len(load(DEMO.replace("value: 18", "value: 21"), dry_run=True).changes) == 1
    assert rows() == before


def test_a_file_that_is_wrong_is_refused_whole():
    before = rows()
    with pytest.raises(Invalid) as refusal:
        load(DEMO.replace("radionuclide: F-18", "radionuclide: F18"))
    assert refusal.value.code == "not-a-trial-file"
    assert rows() == before


def test_only_a_data_manager_of_the_trial_loads_it():
    trial = load().trial
    monitor = factories.make_user(Role.MONITOR, trial=trial)
    manager = factories.make_user(Role.DATA_MANAGER, trial=trial)
    stranger = factories.make_user(Role.DATA_MANAGER, trial=factories.make_trial())
    changed = DEMO.replace("value: 18", "value: 21")
    for user in (monitor, stranger):
        with pytest.raises(Forbidden):
            protocols.load_trial(changed, by=user)
    assert protocols.load_trial(changed, by=manager).version.number == 2


def test_the_command_prints_what_changes(tmp_path):
    file = tmp_path / "demo.yaml"
    file.write_text(DEMO)
    outputs = []
    for options in (["--dry-run"], [], []):
        out = StringIO()
        call_command("load_trial", str(file), *options, stdout=out)
        outputs.append(out.getvalue().splitlines()[0].removeprefix(f"{file}: "))
    assert outputs == ["would change.", "loaded as version 1.", "nothing changed."]


def test_the_command_names_the_file_and_the_errors(tmp_path):
    file = tmp_path / "broken.yaml"
    file.write_text("identifier: 1\n")
    with pytest.raises(CommandError, match=r"broken\.yaml:1: identifier: 1 is not of type"):
        call_command("load_trial", str(file))


RENAMED = DEMO.replace("name: Demo University Hospital", "name: Demo Hospital North")
MOVED = DEMO.replace(
    "University Hospital, time_zone: Europe/Berlin", "University Hospital, time_zone: Europe/Rome"
)


def test_what_a_later_file_says_of_a_site_holds_for_the_site():
    trial = load().trial
    load(RENAMED)
    assert trial.sites.get(code="101").name == "Demo Hospital North"
    load(MOVED)
    site = trial.sites.get(code="101")
    assert (site.name, site.time_zone) == ("Demo University Hospital", "Europe/Rome")


@pytest.mark.parametrize("dry_run", [True, False])
def test_no_site_with_patients_gets_another_clock(dry_run):
    site = load().trial.sites.get(code="101")
    factories.make_patient(site)
    with pytest.raises(protocols.NotATrialFile, match="whose times were read") as refusal:
        load(MOVED, dry_run=dry_run)
    (problem,) = refusal.value.problems
    assert "Europe/Rome" in MOVED.splitlines()[problem.line - 1]
    assert problem.place == "sites[0].time_zone"
    site.refresh_from_db()
    assert site.time_zone == "Europe/Berlin"
    assert site.trial.versions.count() == 1
