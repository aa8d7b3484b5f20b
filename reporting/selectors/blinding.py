"""What a trial keeps from whom at an instant, as its record says."""

from __future__ import annotations

from collections.abc import Iterable

from imaging.models import Read
from reporting.blinding import Blinding
from reporting.datasets.tells import TELLS, Tag
from reporting.derived import usubjid
from reporting.selectors import form_rows
from trials.models import CountedRead, FormEntry, ItemValue, ProtocolVersion, Trial
from trials.protocol import in_force

AWAITED = (
    CountedRead.Basis.AWAITING_READERS,
    CountedRead.Basis.AWAITING_ADJUDICATION,
    CountedRead.Basis.AWAITING_RESPONSE,
)
_OF_READ = "quantification__series__imaging_study__scheduled_scan"
# What a concealed sequence is told by.
OF_ALLOCATION = frozenset({Tag.ARM, Tag.TRACER, Tag.FREE_TEXT})
BY_ARM = frozenset({Tag.ARM, Tag.TRACER})
# What readers are kept blind to, by the words of a trial file, that an export can tell.
OF_READS = {
    "other-readers": Tag.READER,
    "other-tracer": Tag.OTHER_MODALITY,
    "other-imaging": Tag.OTHER_MODALITY,
    "reference-standard": Tag.REFERENCE,
}


def of(trial: Trial, *, is_unblinded: bool) -> Blinding:
    """What has to be kept back of a trial; of an unblinded export, what would have been."""
    concealed = OF_ALLOCATION if is_concealed(trial) else frozenset()
    undecided = set(_decided_blind(trial).values_list("patient__identifier", flat=True))
    by_tag = _in_reads(trial)
    reading = set().union(*by_tag.values())
    by_tag[Tag.REFERENCE] = by_tag.get(Tag.REFERENCE, set()) | undecided
    why = []
    if concealed:
        why.append("The allocation is concealed: nothing that tells an arm or a tracer leaves.")
    if undecided:
        why.append(
            f"The truth panel is not told of the index test yet of {_patients(undecided)}: what it "
            "decided of them is kept back."
        )
    if reading:
        why.append(
            f"Blind reads of {_patients(reading)} are not done: what their readers are blind to is "
            "kept back."
        )
    return Blinding(
        is_unblinded=is_unblinded,
        concealed=concealed,
        of_patients={
            tag: frozenset(usubjid(trial.identifier, one) for one in found)
            for tag, found in by_tag.items()
            if found
        },
        subjects=_subjects(trial) if undecided else frozenset(),
        why=tuple(why),
    )


def concealed_columns(trial: Trial, names: Iterable[str]) -> dict[str, frozenset[str]]:
    """Columns that tell a concealed allocation by arm or tracer; none where it is open."""
    if not is_concealed(trial):
        return {}
    forms = {name: one.tells for name, one in form_rows.tables(trial).items()}
    tells = {**TELLS, **forms}
    return {
        name: frozenset(column for column, tags in tells.get(name, {}).items() if tags & BY_ARM)
        for name in names
    }


def is_concealed(trial: Trial) -> bool:
    """Whether a version of the trial conceals its allocations; none has an end to that."""
    stated = trial.versions.values_list("definition__randomisation", flat=True)
    return any(in_force(one).get("masking") == "concealed" for one in stated if one)


def _decided_blind(trial: Trial):
    """Entries of the truth panel about patients of whose index test it is not told."""
    entries = FormEntry.objects.filter(patient__trial=trial, is_of_panel=True)
    return entries.exclude(state=FormEntry.State.UNDONE).filter(
        patient__panel_unblinding__isnull=True
    )


def _in_reads(trial: Trial) -> dict[Tag, set[str]]:
    """Patients whose scans are being read blind, by what their readers may not be told."""
    found: dict[Tag, set[str]] = {}
    rules = {one.pk: one.read_rule.get("blinded_to", ()) for one in _versions(trial)}
    rules = {pk: [OF_READS[one] for one in said if one in OF_READS] for pk, said in rules.items()}
    if not any(rules.values()):
        return found
    for patient, version in {*_awaited(trial), *_begun(trial)}:
        for tag in rules[version]:
            found.setdefault(tag, set()).add(patient)
    return found


def _versions(trial: Trial) -> Iterable[ProtocolVersion]:
    return trial.versions.only("pk", "definition")


def _awaited(trial: Trial):
    """Patient and version of the scans whose reads are not settled."""
    rows = CountedRead.objects.filter(patient__trial=trial, ended_at=None, basis__in=AWAITED)
    return rows.values_list("patient__identifier", "scheduled_scan__planned_scan__version")


def _begun(trial: Trial):
    """Patient and version of the scans that somebody reads at this time."""
    rows = Read.objects.filter(
        **{f"{_OF_READ}__patient__trial": trial}, state=Read.State.DRAFT, ended_at=None
    )
    return rows.values_list(
        f"{_OF_READ}__patient__identifier", f"{_OF_READ}__planned_scan__version"
    )


def _subjects(trial: Trial) -> frozenset[tuple[str, int]]:
    """Rows of decisions of the panel that it made blind, by table and number."""
    entries = _decided_blind(trial)
    values = ItemValue.objects.filter(entry__in=entries)
    return frozenset(
        (rows.model._meta.db_table, pk)
        for rows in (entries, values)
        for pk in rows.values_list("pk", flat=True)
    )


def _patients(found: set[str]) -> str:
    return f"{len(found)} patient{'' if len(found) == 1 else 's'}"
