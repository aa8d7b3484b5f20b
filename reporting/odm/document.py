"""The whole file: the study, its people and places, and what was entered.

Source: CDISC Operational Data Model 1.3.2, section 3.1.1 (ODM) to 3.1.3 (AdminData).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date

from reporting.datasets.case_report_forms import FormTable
from reporting.formats.about import About
from reporting.odm import clinical, metadata, names
from reporting.odm.clinical import Entry
from reporting.odm.metadata import Version
from reporting.odm.xml import DECLARATION, closing, element, opening, text

NAMESPACE = "http://www.cdisc.org/ns/odm/v1.3"
LEGAL_REASON = "An electronic signature with a password (21 CFR 11.50, 11.200)"


@dataclass(frozen=True, slots=True)
class Site:
    """A site, and the protocol versions that held there: each number with its first day."""

    code: str
    name: str
    versions: Sequence[tuple[int, date]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What a file says of a trial besides what was entered.

    `users` have a number and the words for what they are in the trial; `meanings` are those of
    signatures, by identifier.
    """

    identifier: str
    name: str
    description: str
    versions: Sequence[Version]
    tables: Mapping[str, FormTable]
    sites: Sequence[Site]
    users: Sequence[tuple[int, str]]
    meanings: Mapping[str, str]

    @property
    def by_form(self) -> dict[str, FormTable]:
        """The tables by the identifier of the form."""
        return {one.form: one for one in self.tables.values()}


def snapshot(study: Study, entries: Iterable[Entry], about: About) -> Iterator[str]:
    """What stands, as a file of type Snapshot."""
    content = clinical.snapshot(study.identifier, entries, study.by_form)
    return _file(study, content, about, "Snapshot")


def transactions(study: Study, entries: Iterable[Entry], about: About) -> Iterator[str]:
    """Every change, as a file of type Transactional."""
    content = clinical.transactions(study.identifier, entries, study.by_form)
    return _file(study, content, about, "Transactional")


def _file(study: Study, content: Iterable[str], about: About, kind: str) -> Iterator[str]:
    moment = about.as_of.astimezone(UTC).isoformat()
    yield DECLARATION
    yield opening(
        "ODM",
        {
            "xmlns": NAMESPACE,
            "ODMVersion": "1.3.2",
            "FileType": kind,
            "FileOID": f"{about.study}.{about.export}.{kind}",
            "Granularity": "All",
            "CreationDateTime": moment,
            "AsOfDateTime": moment,
            "Originator": "TrialTrace",
            "SourceSystem": "TrialTrace",
            "SourceSystemVersion": about.software,
        },
    )
    yield from _study(study)
    yield _people_and_places(study)
    for chunk in content:
        yield chunk
        yield "\n"
    yield closing("ODM")
    yield "\n"


def _study(study: Study) -> Iterator[str]:
    yield opening("Study", {"OID": study.identifier})
    yield element(
        "GlobalVariables",
        {},
        element("StudyName", {}, text(study.name)),
        element("StudyDescription", {}, text(study.description)),
        element("ProtocolName", {}, text(study.identifier)),
    )
    yield element("BasicDefinitions", {}, *metadata.units(study.tables.values()))
    for version in study.versions:
        forms = metadata.asked_by(version, study.versions, study.tables)
        yield "\n"
        yield from metadata.written(version, forms)
    yield closing("Study")
    yield "\n"


def _people_and_places(study: Study) -> str:
    users = (
        element(
            "User",
            {"OID": names.user(number)},
            element("DisplayName", {}, text(words)),
        )
        for number, words in study.users
    )
    sites = (
        element(
            "Location",
            {"OID": names.site(site.code), "Name": site.name, "LocationType": "Site"},
            *(
                element(
                    "MetaDataVersionRef",
                    {
                        "StudyOID": study.identifier,
                        "MetaDataVersionOID": names.version(number),
                        "EffectiveDate": since.isoformat(),
                    },
                )
                for number, since in site.versions
            ),
        )
        for site in study.sites
    )
    meanings = (
        element(
            "SignatureDef",
            {"OID": names.signature(name), "Methodology": "Electronic"},
            element("Meaning", {}, text(words)),
            element("LegalReason", {}, text(LEGAL_REASON)),
        )
        for name, words in study.meanings.items()
    )
    return element("AdminData", {"StudyOID": study.identifier}, *users, *sites, *meanings) + "\n"
