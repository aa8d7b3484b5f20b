"""Exports: ordered with a reason, frozen at one instant, kept by digest, never changed.

What is in them `freezing` writes; `opening` gives them to whoever may have them.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

from django.utils import timezone

from reporting import profiles, selectors, storage
from reporting.blinding import UndeclaredError
from reporting.csvtext import CellError
from reporting.cut_off import UndatedError
from reporting.formats import CHOICES, FORMATS
from reporting.models import Export
from reporting.profiles import Profile
from reporting.sdtm.model import MappingError
from reporting.selectors import blinding
from reporting.services import freezing, points, watching
from reporting.services.freezing import Frozen
from reporting.services.watching import CalledOff
from reporting.signing import SigningKeyError
from trials import permissions
from trials.models import Trial, User
from trials.services import audit, jobs
from trials.services.errors import Invalid, Refused

LONGEST_REASON = Export._meta.get_field("reason").max_length

State = Export.State


def request(
    trial: Trial,
    *,
    reason: str,
    by: User,
    formats: Collection[str] = (),
    privacy: str = Profile.FULL,
    unblinding_reason: str = "",
    cut_off: date | None = None,
    at_event: int | None = None,
    at_moment: datetime | None = None,
) -> Export:
    """Order an export of the whole trial; the role must be held at all its sites.

    CSV is always in it, and what `formats` names of reporting.formats.CHOICES, with what that is
    made from; `privacy` names a profile of reporting.profiles. With a reason to unblind it holds
    what the trial conceals, and waits until a second person agrees
    (`reporting.services.unblinding`). `cut_off` is the last day whose events are in it. With an
    event of the audit trail or a moment it is of the record as it stood then.
    """
    wanted = {*formats, *(FORMATS[name].source for name in formats if name in FORMATS)}
    chosen = [name for name in CHOICES if name in wanted]
    export = Export(
        trial=trial,
        reason=reason.strip(),
        requested_by=by,
        formats=chosen,
        privacy=privacy,
        is_unblinded=bool(unblinding_reason.strip()),
        unblinding_reason=unblinding_reason.strip(),
        cut_off=cut_off,
    )
    permissions.require(by, "export.create", export)
    if export.is_unblinded:
        permissions.require(by, "export.unblind", export)
        export.state = State.WAITING
        _check_reason(unblinding_reason, "unblinding_reason", "Say why it has to be unblinded.")
    _check_reason(reason)
    _check_profile(privacy)
    _check_formats(formats, privacy)
    _check_cut_off(cut_off, chosen)
    export.point = points.named(trial, event=at_event, moment=at_moment)
    kept = blinding.of(trial, is_unblinded=export.is_unblinded)
    if told := freezing.tells_concealed(export, kept):
        raise Invalid("formats", told)
    with audit.action("export.requested", actor=by, reason=export.reason, trial=trial.pk):
        export.save()
        if not export.is_unblinded:
            order(export, by=by)
    return export


def order(export: Export, *, by: User) -> None:
    """Have a worker freeze an export. Inside the action of who decided on it."""
    export.job = jobs.enqueue("reporting.freeze", actor=by, on=export.trial, export=export.pk).pk
    export.save(update_fields=["job"])


def freeze(claim: jobs.Claim) -> None:
    """Read everything at one instant, keep it, and say so; done twice, it is frozen once."""
    export = Export.objects.select_related("trial", "requested_by", "decided_by").get(
        pk=claim.arguments["export"]
    )
    if export.state != State.REQUESTED:
        return _nothing_to_do(claim)
    try:
        with watching.watched(claim, lambda: _is_wanted(export)) as watch:
            frozen = freezing.frozen(export, watch.tell)
    except CalledOff:
        return _nothing_to_do(claim)
    except CellError as error:
        return _fail(claim, export, f"A value can't be written: {error}. Correct it.")
    except MappingError as error:
        return _fail(claim, export, f"A submission can't be made: {error}.")
    except (profiles.UntaggedError, UndeclaredError, UndatedError) as error:
        return _fail(claim, export, f"Nothing leaves: {error}.")
    except SigningKeyError as error:
        return _fail(
            claim, export, f"It can't be signed: the key {error.what}. Tell the administrator."
        )
    except Refused as error:
        return _fail(claim, export, error.message)
    return _keep(claim, export, frozen)


def _keep(claim: jobs.Claim, export: Export, frozen: Frozen) -> None:
    """Say what was frozen, unless it was called off meanwhile or another worker has it."""
    is_kept = False
    try:
        with jobs.fenced(claim), _acting("export.frozen", export):
            if _locked(export).state == State.REQUESTED:
                _name(export, frozen)
                is_kept = True
    finally:
        if not is_kept:
            # Its manifest names its instant, so that no other export is these bytes.
            storage.exports.remove(frozen.sha256)


def _name(export: Export, frozen: Frozen) -> None:
    export.state = State.FROZEN
    export.as_of = frozen.manifest.as_of
    export.audit_event = frozen.manifest.audit_event
    export.manifest = frozen.manifest.to_json()
    export.sha256, export.size = frozen.sha256, frozen.size
    export.signature, export.signing_key_sha256 = frozen.signature, frozen.signing_key_sha256
    export.save(
        update_fields=[
            "state",
            "as_of",
            "audit_event",
            "manifest",
            "sha256",
            "size",
            "signature",
            "signing_key_sha256",
            "point",
        ]
    )


def cancel(export: Export, *, by: User) -> None:
    """Call off an export that is not frozen yet; its worker stops at the next batch of rows."""
    permissions.require(by, "export.create", export)
    with audit.action("export.cancelled", actor=by, reason=export.reason, trial=export.trial_id):
        row = _locked(export)
        if row.state != State.REQUESTED:
            raise Refused(
                "not-under-way",
                f"This export is {row.get_state_display().lower()}: only one that is not frozen "
                "yet is cancelled.",
            )
        row.state, row.cancelled_by, row.cancelled_at = State.CANCELLED, by, timezone.now()
        row.save(update_fields=["state", "cancelled_by", "cancelled_at"])


def resume(export: Export, *, by: User) -> None:
    """Begin a cancelled or failed export again, of a new instant: the earlier one is over."""
    permissions.require(by, "export.create", export)
    with audit.action("export.resumed", actor=by, reason=export.reason, trial=export.trial_id):
        row = _locked(export)
        if selectors.exports().get(pk=row.pk).standing not in (State.CANCELLED, State.FAILED):
            raise Refused(
                "not-stopped",
                f"This export is {row.get_state_display().lower()}: only a cancelled or failed one "
                "is begun again.",
            )
        row.state, row.cancelled_by, row.cancelled_at = State.REQUESTED, None, None
        row.message = ""
        row.job = jobs.enqueue("reporting.freeze", actor=by, on=row.trial, export=row.pk).pk
        row.save(update_fields=["state", "cancelled_by", "cancelled_at", "message", "job"])


def _locked(export: Export) -> Export:
    return Export.objects.select_for_update().get(pk=export.pk)


def _is_wanted(export: Export) -> bool:
    return Export.objects.filter(pk=export.pk, state=State.REQUESTED).exists()


def _fail(claim: jobs.Claim, export: Export, message: str) -> None:
    with jobs.fenced(claim), _acting("export.failed", export):
        if _locked(export).state == State.REQUESTED:
            export.state, export.message = State.FAILED, message
            export.save(update_fields=["state", "message"])


def _acting(name: str, export: Export):
    """The frame in which the system says what became of an export."""
    return audit.action(name, actor=jobs.system_user(), reason=export.reason, trial=export.trial_id)


def _nothing_to_do(claim: jobs.Claim) -> None:
    with jobs.fenced(claim):
        pass


def _check_formats(formats: Collection[str], privacy: str) -> None:
    unknown = sorted(set(formats) - set(CHOICES))
    if unknown:
        known = ", ".join(CHOICES)
        raise Invalid("formats", f"No format is called {', '.join(unknown)}; there are {known}.")
    # They are made of the record, not of what a profile lets of it.
    whole = [name for name in CHOICES if name in formats and freezing.is_of_whole_record(name)]
    if whole and privacy != Profile.FULL:
        raise Invalid(
            "formats",
            f"{', '.join(CHOICES[name].label for name in whole)}: made of the whole record, with "
            f"dates and sites. Choose the profile {Profile.FULL}, or leave the format out.",
        )


def _check_cut_off(day: date | None, formats: Collection[str]) -> None:
    if day is None:
        return
    if day > timezone.now().date():
        raise Invalid("cut_off", "This day is yet to come: name one until today.")
    whole = [CHOICES[name].label for name in formats if freezing.is_of_whole_record(name)]
    if whole:
        raise Invalid(
            "formats",
            f"{', '.join(whole)}: made of the whole record, what happened after the cut-off too. "
            "Leave the format or the cut-off out.",
        )


def _check_profile(privacy: str) -> None:
    if privacy not in list(Profile):
        known = ", ".join(Profile)
        raise Invalid("privacy", f"No privacy profile is called {privacy}; there are {known}.")


def _check_reason(
    reason: str,
    field: str = "reason",
    ask: str = "Say what the export is for, in a few words.",
) -> None:
    if len(reason.strip(" .-")) < 3:
        raise Invalid(field, ask)
    if len(reason.strip()) > LONGEST_REASON:
        raise Invalid(field, f"{LONGEST_REASON} characters at most.")
