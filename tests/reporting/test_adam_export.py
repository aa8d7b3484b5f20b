"""ADaM in an export: with the SDTM it is made from, as the record stands, and never masked."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from reporting import csvtext, storage
from reporting.datasets.populations import POPULATIONS
from reporting.models import Export
from reporting.profiles import Profile
from reporting.services import exports
from tests.factories import framed
from trials.models import Site
from trials.services import jobs
from trials.services.errors import Invalid


def table(archive: zipfile.ZipFile, path: str) -> list[dict]:
    found = json.loads(archive.read(path))
    names = [one["name"] for one in found["columns"]]
    return [dict(zip(names, row, strict=True)) for row in found["rows"]]


@pytest.fixture
def mapped(made):
    """The cohort with what SDTM asks of a trial: a site in a country, sequences of scans."""
    version = made.trial.newest_version
    names = ("XY1", "XY2")
    planned = [{"identifier": "scan_ptf", "label": "Pentixafor PET/CT"}]
    planned += [{"identifier": one, "label": one} for one in names]
    with framed():
        Site.objects.filter(trial=made.trial).update(time_zone="Europe/Berlin")
        version.definition = version.definition | {"planned_scans": planned}
        version.save(update_fields=["definition"])
    return made


def test_an_order_of_adam_has_the_sdtm_that_its_values_come_from(mapped):
    made = mapped
    _leaves_under_no_profile_that_masks(made)
    export = exports.request(
        made.trial, reason="analysis", by=made.statistician, formats=["adam-json"]
    )
    jobs.run(export.job)
    export.refresh_from_db()
    assert export.state == Export.State.FROZEN, export.message
    assert export.manifest["formats"] == ["csv", "sdtm-json", "adam-json"]
    archive = zipfile.ZipFile(io.BytesIO(storage.exports.read(export.sha256)))
    subjects = table(archive, "adam/adsl.json")
    assert [one["USUBJID"] for one in subjects] == [
        one["USUBJID"] for one in table(archive, "sdtm/dm.json")
    ]
    _flags_are_those_of_the_dataset_of_populations(archive, subjects)
    results = {(one["USUBJID"], one["TRSEQ"]): one for one in table(archive, "sdtm/tr.json")}
    lesions = table(archive, "adam/adtr.json")
    assert lesions
    for one in lesions:
        source = results[one["USUBJID"], one["SRCSEQ"]]
        assert one["AVAL"] == source["TRSTRESN"]
    assert {one["PARCAT2"] for one in table(archive, "adam/adpet.json")} >= {
        "INJECTION",
        "CONDUCT",
    }


def _flags_are_those_of_the_dataset_of_populations(archive, subjects) -> None:
    rows = csvtext.read(POPULATIONS, archive.read(POPULATIONS.path))
    inside = {(one["usubjid"], one["population"]): one["in_population"] for one in rows}
    flags = {"ENR": "ENRLFL", "SAF": "SAFFL", "FAS": "FASFL", "PP": "PPROTFL"}
    told = {(one["USUBJID"], name): one[flag] == "Y"
            for one in subjects for name, flag in flags.items()}  # fmt: skip
    assert told == {key: inside[key] for key in told}
    # Of flags that are all N any two sets of rows would agree.
    assert any(told.values())


def _leaves_under_no_profile_that_masks(made) -> None:
    for privacy in (Profile.LIMITED, Profile.SAFE_HARBOR):
        with pytest.raises(Invalid, match=r"ADaM of CDISC .* made of the whole record"):
            exports.request(
                made.trial,
                reason="to share",
                by=made.statistician,
                formats=["adam-xpt"],
                privacy=privacy,
            )
