"""Values of forms that came in a file: the file, what it would do, and what it did."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from trials.models.form import FormEntry
from trials.models.scope import EVERY_SITE, ScopedModel, WholeTrialQuerySet
from trials.models.trial import Trial


class FormImport(ScopedModel):
    """One file of values for one form: read, shown, and entered whole or not at all.

    It belongs to the trial as a whole, since its rows are of several sites.
    """

    class State(models.TextChoices):
        READING = "reading", "Being read"
        READ = "read", "To be confirmed"
        ENTERING = "entering", "Being entered"
        DONE = "done", "Entered"
        REFUSED = "refused"
        REPLACED = "replaced", "Sent anew"

    trial_path = "trial_id"

    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="form_imports")
    form = models.CharField(max_length=30)
    # Whose file it is, and what that source calls it: together they are entered once.
    source = models.CharField(max_length=80)
    import_id = models.CharField(max_length=80)
    file_name = models.CharField(max_length=200)
    file_sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    # How the file writes numbers, dates and missing values, and what made it.
    reading = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State, default=State.READING)
    # What it would do, row by row, as it was shown; the digest fixes it.
    plan = models.JSONField(default=dict)
    plan_sha256 = models.CharField(max_length=64, blank=True)
    # Rows by what they would do: new, changed, equal, refused.
    counts = models.JSONField(default=dict)
    # Why it was refused as a whole; empty otherwise.
    message = models.CharField(max_length=1000, blank=True)
    reason = models.CharField(max_length=400, blank=True)
    sent_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    sent_at = models.DateTimeField(default=timezone.now)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    entered_at = models.DateTimeField(null=True, blank=True)

    objects = WholeTrialQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                name="form_import_entered_once",
                fields=["trial", "form", "source", "import_id"],
                condition=Q(state="done"),
            )
        ]

    def __str__(self) -> str:
        return f"import {self.pk} of {self.form}"

    def scope(self) -> tuple[int, int | None]:
        return self.trial_id, EVERY_SITE


class ImportedLine(ScopedModel):
    """A line of an imported file that made or changed an entry of a form."""

    trial_path = "entry__patient__trial_id"
    site_path = "entry__patient__site_id"

    form_import = models.ForeignKey(FormImport, on_delete=models.PROTECT, related_name="lines")
    entry = models.ForeignKey(FormEntry, on_delete=models.PROTECT, related_name="imported_lines")
    number = models.PositiveIntegerField()

    class Meta:
        ordering = ["form_import", "number"]
        constraints = [
            models.UniqueConstraint(name="imported_line_once", fields=["form_import", "number"])
        ]

    def __str__(self) -> str:
        return f"line {self.number} of {self.form_import}"
