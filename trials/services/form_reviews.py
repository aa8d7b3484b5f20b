"""What is said about a form that was filled in: compared with its source, and signed.

Both stand by digest, as they do for evidence and verdicts: nothing clears a mark or a
signature, it stands only while what it is on says the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trials import canonical, permissions
from trials.models import (
    FormEntry,
    ItemValue,
    ProtocolVersion,
    Signature,
    SourceVerification,
    User,
)
from trials.services import audit, patients, signatures
from trials.services.errors import Refused


def digest_of(row: ItemValue) -> str:
    """The digest of one value, as it stands."""
    return canonical.sha256([row.pk, row.item, row.value, row.missing, row.reason])


def verify(
    entry: FormEntry, *, seen: Mapping[ItemValue, str], by: User, note: str = ""
) -> list[SourceVerification]:
    """Mark values as compared with the source, each with the digest of what was seen."""
    patient = entry.patient
    permissions.require(by, "form.verify", entry)
    if not seen:
        raise Refused("nothing-chosen", "Choose the values that were compared.")
    with audit.action(
        "form.verified",
        actor=by,
        reason=note or "compared with the source",
        trial=patient.trial_id,
        patient=patient.pk,
    ):
        patients.hold_still(patient)
        now = {row.pk: row for row in entry.values.all()}
        for row, digest in seen.items():
            if row.pk not in now or digest_of(now[row.pk]) != digest:
                raise Refused(
                    "value-changed", "A value changed while you looked at it: look again."
                )
        return [
            SourceVerification.objects.create(
                patient=patient,
                item_value=row,
                evidence_sha256=digest,
                note=note.strip(),
                verified_by=by,
            )
            for row, digest in seen.items()
        ]


def sign(entry: FormEntry, *, revision: int, by: User, password: str) -> Signature:
    """Sign a complete form, as the investigator who answers for it."""
    patient = entry.patient
    permission = "panel.sign" if entry.is_of_panel else "form.sign"
    permissions.require(by, permission, entry)
    with audit.action(
        "form.signed",
        actor=by,
        reason=Signature.Meaning.FORM.label,
        trial=patient.trial_id,
        patient=patient.pk,
    ):
        patients.hold_still(patient)
        locked = FormEntry.objects.select_related("patient", "version").get(pk=entry.pk)
        if locked.state != FormEntry.State.COMPLETE:
            raise Refused("wrong-state", "Only a complete form is signed.")
        if locked.revision != revision:
            raise Refused("changed-meanwhile", "The form was corrected meanwhile: look again.")
        standing = standing_signatures(locked)
        # Each member of a panel signs; elsewhere one signature answers for a form.
        if any(one.signed_by_id == by.pk or not locked.is_of_panel for one in standing):
            raise Refused("signed-already", "This form is signed already.")
        return signatures.sign(
            locked,
            by=by,
            password=password,
            meaning=Signature.Meaning.FORM,
            content=content_of(locked),
        )


def signature_in_force(entry: FormEntry) -> Signature | None:
    """The signature on a form, as long as it says what was signed."""
    signature = signatures.of(entry)
    return signature if signature and is_what_was_signed(entry, signature.content_sha256) else None


def standing_signatures(entry: FormEntry) -> list[Signature]:
    """Every signature that says what the entry still says."""
    every = signatures.every(entry)
    return [one for one in every if is_what_was_signed(entry, one.content_sha256)]


def is_what_was_signed(entry: FormEntry, content_sha256: str) -> bool:
    """Whether a form says what a signature is on.

    Moved to a newer version with every value as it was, it still says so.
    """
    if content_sha256 == signatures.digest(content_of(entry)):
        return True
    earlier = (move.from_version for move in entry.moves.all())
    return any(content_sha256 == signatures.digest(content_of(entry, one)) for one in earlier)


def content_of(entry: FormEntry, version: ProtocolVersion | None = None) -> dict[str, Any]:
    """What is signed with a form, as it stands under its version or that which it moved from."""
    return {
        "patient": entry.patient.screening_number,
        "form": entry.form,
        "visit": entry.visit,
        "repeat": entry.repeat,
        "definition_sha256": (version or entry.version).definition_sha256,
        "values": {
            row.item: [row.value, row.missing, row.reason]
            for row in entry.values.all()
            if not row.is_empty and row.asked_version_id is None
        },
    }
