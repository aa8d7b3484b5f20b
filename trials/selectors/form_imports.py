"""Imports of form values as pages and API show them."""

from __future__ import annotations

from django.db.models import QuerySet

from trials import case_report_forms
from trials.case_report_forms import Form
from trials.models import FormImport, ImportedLine, Job, Trial, User
from trials.services import form_imports


def rows() -> QuerySet[FormImport]:
    """Imports with what their pages name, without the files."""
    return FormImport.objects.select_related("trial", "sent_by", "confirmed_by").defer("content")


def forms_to_import(user: User) -> dict[Trial, dict[str, str]]:
    """The forms that a user may send files for, by trial: by identifier, with the label."""
    held = [trial for trial, site in user.scopes("form.import") if site is None]
    trials = Trial.objects.filter(pk__in=held)
    return {one: forms for one in trials if (forms := form_imports.forms_of(one))}


def newest_form(trial: Trial, name: str) -> Form | None:
    """A form as the newest version that asks it has it."""
    for definition in trial.versions.order_by("-number").values_list("definition", flat=True):
        if found := case_report_forms.forms_of(definition).get(name):
            return found
    return None


def entries_by_line(row: FormImport) -> dict[int, int]:
    """The entries that an import made or changed, by the line of the file."""
    lines = ImportedLine.objects.filter(form_import=row)
    return dict(lines.values_list("number", "entry"))


def job_of(row: FormImport) -> Job | None:
    """The job that reads or enters a long file."""
    found = Job.objects.filter(kind=form_imports.KIND, arguments__form_import=row.pk)
    return found.order_by("-pk").first()
