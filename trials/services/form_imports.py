"""Values of forms that come in a file: received, shown, confirmed, entered whole or not at all.

What is entered goes the way of what is typed: the same checks, the same rows with their trail,
queries and marks. The one mistake to fear is a file that does something else than was shown; so
the plan is made again under lock, and one that differs in anything is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connections, transaction
from django.utils import timezone

from trials import case_report_forms, import_layouts, import_rows, permissions
from trials.import_rows import DATE_ORDERS, SpellingError
from trials.import_tables import MOST_BYTES
from trials.models import (
    FormEntry,
    FormImport,
    ImportedLine,
    Patient,
    ProtocolVersion,
    Trial,
    User,
)
from trials.services import audit, form_entries, form_import_plans, jobs
from trials.services.errors import Invalid, Refused
from trials.services.form_import_plans import CHANGED, NEW, REFUSED, Planned

State = FormImport.State
# A file of more than this is read and entered by a worker.
AT_ONCE_BYTES = 40_000
LONGEST_NAME = 80
KIND = "trials.form_import"
# How a file writes what it says, as `import_rows.Spelling` and `import_layouts.Layout` take it.
READING = {
    "layout": "table",
    "patient_column": "",
    "visits": "",
    "decimal_comma": False,
    "date_order": "iso",
    "missing": "",
    # What a cell says that empties an answer; without one no file does.
    "emptied": "",
}


def receive(
    trial: Trial,
    *,
    form: str,
    content: bytes,
    file_name: str,
    source: str,
    import_id: str,
    by: User,
    reading: Mapping[str, Any] | None = None,
    at_once: bool = False,
) -> FormImport:
    """Take a file and plan what it would do. One that was entered already leads to that import.

    A long one is planned by a worker, unless the caller waits for it `at_once`.
    """
    permissions.require(by, "form.import", FormImport(trial=trial))
    source, import_id = _named("source", source), _named("import_id", import_id)
    _require_form(trial, form)
    reading = READING | dict(reading or {})
    _require_reading(reading)
    if len(content) > MOST_BYTES:
        raise Invalid("file", f"The file is larger than {MOST_BYTES // 2**20} MiB: divide it.")
    sha256 = hashlib.sha256(content).hexdigest()
    with transaction.atomic():
        # Of two files sent under one name at once the second finds the first.
        Trial.objects.select_for_update(no_key=True).get(pk=trial.pk)
        rows = FormImport.objects.filter(trial=trial, form=form, source=source, import_id=import_id)
        if done := rows.filter(state=State.DONE).first():
            return _the_same(done, sha256)
        if rows.filter(state__in=[State.READING, State.ENTERING]).exists():
            raise Refused("wrong-state", f"Import {import_id} of {source} is at work: wait for it.")
        with audit.action(
            "form_import.received",
            actor=by,
            reason=f"import {import_id} of {source}",
            trial=trial.pk,
        ):
            rows.filter(state__in=[State.READ, State.REFUSED]).update(state=State.REPLACED)
            row = FormImport.objects.create(
                trial=trial,
                form=form,
                source=source,
                import_id=import_id,
                file_name=file_name[-200:] or "values.csv",
                file_sha256=sha256,
                content=content,
                reading=reading,
                sent_by=by,
            )
            is_long = len(content) > AT_ONCE_BYTES and not at_once
            if is_long:
                jobs.enqueue(KIND, actor=by, on=trial, form_import=row.pk, act="read")
        if not is_long:
            read(row)
    return row


def read(row: FormImport) -> None:
    """Plan what a received file would do, and keep the plan to be shown."""
    with audit.action(
        "form_import.read", actor=row.sent_by, reason="the file was read", trial=row.trial_id
    ):
        try:
            plan = form_import_plans.of(row)
        except Refused as refusal:
            row.state, row.message = State.REFUSED, refusal.message[:1000]
        else:
            row.state, row.plan = State.READ, plan
            row.plan_sha256 = form_import_plans.digest(row, plan["rows"])
            row.counts = form_import_plans.counts(plan["rows"])
        row.save(update_fields=["state", "message", "plan", "plan_sha256", "counts"])


def confirm(
    row: FormImport, *, digest: str, reason: str = "", by: User, at_once: bool = False
) -> FormImport:
    """Enter what was shown, and nothing else; `digest` is that of the plan that was shown."""
    permissions.require(by, "form.import", row)
    with transaction.atomic():
        locked = _locked(row)
        if locked.state == State.DONE:
            return locked
        _require_confirmable(locked, digest)
        if locked.counts[CHANGED]:
            audit.require_reason(reason)
        why = reason.strip() or f"import {locked.import_id} of {locked.source}"
        if len(locked.content) > AT_ONCE_BYTES and not at_once:
            with audit.action("form_import.confirmed", actor=by, reason=why, trial=locked.trial_id):
                locked.state, locked.reason, locked.confirmed_by = State.ENTERING, why, by
                locked.save(update_fields=["state", "reason", "confirmed_by"])
                jobs.enqueue(KIND, actor=by, on=locked.trial, form_import=locked.pk, act="enter")
            return locked
        locked.reason, locked.confirmed_by = why, by
        _enter(locked, tell=lambda _: None)
    return locked


def run(claim: jobs.Claim) -> None:
    """The job of a long file: read it, or enter what was confirmed."""
    row = FormImport.objects.select_related("trial", "sent_by", "confirmed_by").get(
        pk=claim.arguments["form_import"]
    )
    if claim.arguments["act"] == "read":
        with transaction.atomic():
            if row.state == State.READING:
                read(row)
            with jobs.fenced(claim):
                pass
        return
    with ThreadPoolExecutor(1) as teller:
        try:
            with transaction.atomic():
                locked = _locked(row)
                if locked.state == State.ENTERING:
                    _enter(locked, tell=lambda said: teller.submit(_tell, claim, said))
                with jobs.fenced(claim):
                    pass
        except Refused as refusal:
            _give_up(row, refusal, claim)


def _tell(claim: jobs.Claim, said: str) -> None:
    """How far it is, on a connection of its own: that of the work shows nothing before its end."""
    jobs.report(claim, said)
    connections.close_all()


def _give_up(row: FormImport, refusal: Refused, claim: jobs.Claim) -> None:
    with (
        jobs.fenced(claim),
        audit.action(
            "form_import.refused", actor=row.confirmed_by, reason=row.reason, trial=row.trial_id
        ),
    ):
        row.state, row.message = State.REFUSED, refusal.message[:1000]
        row.save(update_fields=["state", "message"])


def _enter(row: FormImport, *, tell: Callable[[str], Any]) -> None:
    """Do what was planned, in the caller's transaction: all of it, or none."""
    planned = row.plan["rows"]
    keys = {one["patient_pk"] for one in planned}
    rows = Patient.objects.filter(pk__in=keys).order_by("pk").select_for_update(no_key=True)
    held = {one.pk: one for one in rows}
    _require_as_planned(row, planned)
    versions = {one.pk: one for one in row.trial.versions.all()}
    acting = [one for one in planned if one["act"] in (NEW, CHANGED)]
    for count, one in enumerate(acting, start=1):
        with audit.action(
            "form.imported",
            actor=row.confirmed_by,
            reason=f"{row.reason} ({row.file_name}, line {one['line']})",
            trial=row.trial_id,
            patient=one["patient_pk"],
        ):
            _enter_line(row, one, held[one["patient_pk"]], versions)
        if count % 50 == 0:
            tell(f"{count} of {len(acting)} rows")
    with audit.action(
        "form_import.entered", actor=row.confirmed_by, reason=row.reason, trial=row.trial_id
    ):
        row.state, row.entered_at = State.DONE, timezone.now()
        row.save(update_fields=["state", "entered_at", "reason", "confirmed_by"])


def _enter_line(
    row: FormImport,
    planned: Planned,
    patient: Patient,
    versions: Mapping[int, ProtocolVersion],
) -> None:
    by = row.confirmed_by
    if planned["act"] == NEW:
        version = versions[planned["version"]]
        entry = form_entries.start(
            patient,
            version,
            form=case_report_forms.forms_of(version.definition)[row.form],
            visit=planned["visit"],
            repeat=planned["repeat"],
            by=by,
        )
        standing: Mapping[str, Any] = {}
    else:
        entry = FormEntry.objects.select_for_update().get(pk=planned["entry"])
        entry.version = versions[entry.version_id]
        standing = form_entries.standing_of(entry)
    entry.patient = patient
    line = ImportedLine.objects.create(form_import=row, entry=entry, number=planned["line"])
    form = form_entries.form_of(entry)
    values = form_entries.checked(form, {**standing, **planned["given"]}, patient)
    if planned["act"] == NEW:
        form_entries.enter(entry, form, values, by=by, line=line)
    else:
        form_entries.change(entry, form, values, by=by, line=line)


def _require_as_planned(row: FormImport, planned: list[Planned]) -> None:
    """Raise if the record moved on since the plan was shown, naming the rows that it concerns."""
    now = form_import_plans.of(row)["rows"]
    if form_import_plans.digest(row, now) == row.plan_sha256:
        return
    moved = [
        f"line {then['line']} ({then['patient']})"
        for then, one in zip(planned, now, strict=True)
        if then != one
    ]
    raise Refused(
        "changed-meanwhile",
        f"The record changed after this was shown, for {', '.join(moved[:10])}. Nothing was "
        "entered: send the file again and look at what it would do now.",
    )


def _require_confirmable(row: FormImport, digest: str) -> None:
    if row.state != State.READ:
        raise Refused(
            "wrong-state", f"This import is {row.get_state_display().lower()}: send the file again."
        )
    if digest != row.plan_sha256:
        raise Refused("changed-meanwhile", "This is not what was shown: look at it again.")
    if row.counts[REFUSED]:
        raise Refused(
            "rows-refused",
            f"{row.counts[REFUSED]} rows are refused, and a file is entered whole or not at all: "
            "mend them and send it again.",
        )
    if not row.counts[NEW] and not row.counts[CHANGED]:
        raise Refused("nothing-new", "The record says all of this already: nothing to enter.")


def _the_same(done: FormImport, sha256: str) -> FormImport:
    if done.file_sha256 == sha256:
        return done
    raise Invalid(
        "import_id",
        f"Import {done.import_id} of {done.source} was entered on "
        f"{done.entered_at:%Y-%m-%d at %H:%M} UTC from another file: give this one its own name.",
        code="import-id-taken",
    )


def _locked(row: FormImport) -> FormImport:
    rows = FormImport.objects.select_for_update(of=("self",))
    return rows.select_related("trial", "sent_by", "confirmed_by").get(pk=row.pk)


def _named(field: str, text: str) -> str:
    said = text.strip()
    if not said or len(said) > LONGEST_NAME:
        raise Invalid(field, f"Say what it is called, in at most {LONGEST_NAME} characters.")
    return said


def _require_form(trial: Trial, form: str) -> None:
    if form in forms_of(trial):
        return
    if any(
        form in case_report_forms.forms_of(definition)
        for definition in trial.versions.values_list("definition", flat=True)
    ):
        raise Invalid(
            "form", "What the truth panel decides is entered by the panel, not from files."
        )
    raise Invalid("form", f"No version of {trial} asks a form {form!r:.40}.")


def _require_reading(reading: Mapping[str, Any]) -> None:
    if unknown := sorted(set(reading) - set(READING)):
        raise Invalid("reading", f"Nothing is declared as {', '.join(unknown)}.")
    for key, known in (("date_order", DATE_ORDERS), ("layout", import_layouts.KINDS)):
        if reading[key] not in known:
            raise Invalid(key, f"Expected one of {', '.join(known)}, got {reading[key]!r:.40}.")
    for key, parsed in (
        ("missing", import_rows.missing_codes),
        ("visits", import_layouts.visit_names),
        ("emptied", import_rows.emptying_mark),
    ):
        try:
            parsed(reading[key])
        except SpellingError as error:
            raise Invalid(key, str(error)) from error


def forms_of(trial: Trial) -> dict[str, str]:
    """The forms that a file may fill in, of any version: by identifier, with the newest label."""
    found: dict[str, str] = {}
    for definition in trial.versions.order_by("number").values_list("definition", flat=True):
        forms = case_report_forms.forms_of(definition).items()
        found |= {name: one.label for name, one in forms if not one.is_of_panel}
    return found
