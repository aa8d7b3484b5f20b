"""Case report forms as they were filled in: entries, their values, and drafts."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from trials.item_values import Entered
from trials.models.patient import Patient
from trials.models.scope import ScopedModel
from trials.models.trial import ProtocolVersion


class FormEntry(ScopedModel):
    """One form begun for a patient: at a visit, at any time, or as often as it happens.

    It keeps to the version that it was begun under, whatever an amendment asks later.
    """

    class State(models.TextChoices):
        DRAFT = "draft"
        COMPLETE = "complete"
        UNDONE = "undone", "Taken back"

    trial_path = "patient__trial_id"
    site_path = "patient__site_id"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="form_entries")
    version = models.ForeignKey(ProtocolVersion, on_delete=models.PROTECT, related_name="+")
    # Identifiers of the form and of the visit in the version; no visit: asked at any time.
    form = models.CharField(max_length=30)
    visit = models.CharField(max_length=20, blank=True)
    # Counts the entries of a form that repeats, from 1.
    repeat = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    # Counts up with each correction: who corrects an older one is told.
    revision = models.PositiveIntegerField(default=1)
    # Whether the truth panel alone fills it in and is shown it.
    is_of_panel = models.BooleanField(default=False)
    # When the panel last changed it knowing the index test; empty while it stands as blind.
    changed_unblinded_at = models.DateTimeField(null=True, blank=True)
    # Why it was taken back; empty while it stands.
    undone_because = models.CharField(max_length=400, blank=True)
    begun_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    begun_at = models.DateTimeField(default=timezone.now)
    completed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    completed_at = models.DateTimeField(null=True, blank=True)
    # When a report that the form counts down to is due; empty once it is made, or never was.
    report_due_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["patient", "form", "visit", "repeat", "pk"]
        verbose_name_plural = "form entries"
        constraints = [
            models.UniqueConstraint(
                name="form_entered_once",
                fields=["patient", "form", "visit", "repeat"],
                condition=~Q(state="undone"),
            ),
            models.CheckConstraint(
                name="form_complete_has_time",
                condition=~Q(state="complete") | Q(completed_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["report_due_at"],
                name="form_report_due",
                condition=Q(report_due_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"form {self.form} of {self.patient}"


class ItemValue(ScopedModel):
    """What was entered for one item of a form. One row for good: its trail is its history."""

    trial_path = "entry__patient__trial_id"
    site_path = "entry__patient__site_id"

    entry = models.ForeignKey(FormEntry, on_delete=models.PROTECT, related_name="values")
    item = models.CharField(max_length=30)
    # Typed: a number, a text, a truth, a list of codes; null where it is missing or emptied.
    value = models.JSONField(null=True)
    # The code that says why it is missing, and the reason in words.
    missing = models.CharField(max_length=4, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    # The line of a file it was read from; empty where a person typed it.
    imported_line = models.ForeignKey(
        "trials.ImportedLine", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    # The version that asked it last, where the entry moved on to one that asks it no more.
    asked_version = models.ForeignKey(
        ProtocolVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["entry", "pk"]
        constraints = [
            models.UniqueConstraint(name="item_entered_once", fields=["entry", "item"]),
            models.CheckConstraint(
                name="item_value_or_missing", condition=Q(missing="") | Q(value__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item} of {self.entry}"

    @property
    def entered(self) -> Entered:
        """The row as the rules of forms read it."""
        return Entered(self.value, self.missing, self.reason)

    @property
    def is_empty(self) -> bool:
        """Whether a correction took the value away."""
        return self.value is None and not self.missing


class FormMove(ScopedModel):
    """A complete form that moved to a newer version, and what became of each item."""

    trial_path = "entry__patient__trial_id"
    site_path = "entry__patient__site_id"

    entry = models.ForeignKey(FormEntry, on_delete=models.PROTECT, related_name="moves")
    from_version = models.ForeignKey(ProtocolVersion, on_delete=models.PROTECT, related_name="+")
    to_version = models.ForeignKey(ProtocolVersion, on_delete=models.PROTECT, related_name="+")
    # By item: what became of it, with its name before and after.
    outcome = models.JSONField(default=list)
    reason = models.CharField(max_length=400)
    moved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    moved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["entry", "pk"]

    def __str__(self) -> str:
        return f"move of {self.entry} to {self.to_version}"


class FormDraft(ScopedModel):
    """What was typed into a form that is not complete, as it was typed. No record yet."""

    trial_path = "entry__patient__trial_id"
    site_path = "entry__patient__site_id"

    entry = models.OneToOneField(FormEntry, on_delete=models.PROTECT, related_name="draft")
    # By item: what was typed, or {"missing": "ND", "reason": "…", "value": …}.
    given = models.JSONField(default=dict)
    # Counts up with each saving: who saves over a newer one is told.
    revision = models.PositiveIntegerField(default=1)
    saved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    saved_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"draft of {self.entry}"
