"""Queries, deviations, the audit trail and the jobs: the record about the record."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from trials.models.patient import Patient
from trials.models.scope import ScopedModel
from trials.models.trial import Site, Trial


class Query(ScopedModel):
    """A question to the site about the record, raised by a person or by a rule."""

    class State(models.TextChoices):
        OPEN = "open"
        ANSWERED = "answered"
        CLOSED = "closed"

    trial_path = "trial_id"
    site_path = "site_id"

    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="queries")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="queries")
    patient = models.ForeignKey(
        Patient, on_delete=models.PROTECT, null=True, blank=True, related_name="queries"
    )
    # What it is about, as table and primary key, so that any record can be queried.
    subject_table = models.CharField(max_length=63)
    subject_pk = models.BigIntegerField()
    rule = models.CharField(max_length=60, blank=True)
    text = models.TextField()
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    opened_at = models.DateTimeField(default=timezone.now)
    # Of a row that is shown: whether its words are kept from who reads it.
    is_veiled = False

    class Meta:
        ordering = ["-opened_at", "-pk"]
        verbose_name_plural = "queries"
        constraints = [
            # A rule that fails twice about the same thing asks once.
            models.UniqueConstraint(
                name="rule_asks_once",
                fields=["rule", "subject_table", "subject_pk"],
                condition=~Q(rule="") & ~Q(state="closed"),
            )
        ]

    def __str__(self) -> str:
        return f"query {self.pk}: {self.text[:60]}"


class QueryMessage(ScopedModel):
    """One turn in the conversation of a query."""

    trial_path = "query__trial_id"
    site_path = "query__site_id"

    query = models.ForeignKey(Query, on_delete=models.PROTECT, related_name="messages")
    state = models.CharField(max_length=10, choices=Query.State)
    text = models.TextField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    written_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["query", "pk"]

    def __str__(self) -> str:
        return self.text[:60]


class Deviation(ScopedModel):
    """Something that did not go as the protocol says, with the rule and the values."""

    class State(models.TextChoices):
        DRAFTED = "drafted"
        ACKNOWLEDGED = "acknowledged"
        CLOSED = "closed"

    trial_path = "patient__trial_id"
    site_path = "patient__site_id"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="deviations")
    subject_table = models.CharField(max_length=63)
    subject_pk = models.BigIntegerField()
    rule = models.CharField(max_length=60, blank=True)
    text = models.TextField()
    # Found, expected, unit: the numbers the rule compared.
    values = models.JSONField(default=dict)
    # ICH E3: may significantly affect the data, or a patient's rights, safety or well-being.
    is_important = models.BooleanField(default=False)
    state = models.CharField(max_length=15, choices=State, default=State.DRAFTED)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    recorded_at = models.DateTimeField(default=timezone.now)
    # Of a row that is shown: whether its words are kept from who reads it.
    is_veiled = False

    class Meta:
        ordering = ["-recorded_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="rule_deviates_once",
                fields=["rule", "subject_table", "subject_pk"],
                condition=~Q(rule=""),
            )
        ]

    def __str__(self) -> str:
        return f"deviation {self.pk}: {self.text[:60]}"


class AuditEvent(models.Model):
    """One change of one row, written by a database trigger in the same transaction.

    The application's role may only read this table.
    """

    at = models.DateTimeField()
    transaction = models.BigIntegerField()
    table = models.CharField(max_length=63)
    row = models.CharField(max_length=63)
    operation = models.CharField(max_length=1)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    action = models.CharField(max_length=80)
    reason = models.TextField(blank=True)
    # Not a foreign key: the name is as it was then, and no row here depends on another table.
    actor = models.BigIntegerField()
    actor_name = models.CharField(max_length=200)
    request = models.CharField(max_length=64, blank=True)
    trial = models.BigIntegerField(null=True)
    patient = models.BigIntegerField(null=True)
    software_version = models.CharField(max_length=40)
    database_role = models.CharField(max_length=63)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["table", "row"], name="audit_by_row"),
            models.Index(fields=["patient", "-id"], name="audit_by_patient"),
            models.Index(fields=["trial", "-id"], name="audit_by_trial"),
        ]

    def __str__(self) -> str:
        return f"{self.action} on {self.table} {self.row}"


class Job(ScopedModel):
    """Slow work to be done: the row is the order, a broker message only a hint to look.

    `token` fences: it rises with each claim, and only the holder of the newest may finish.
    """

    trial_path = "trial_id"
    site_path = "site_id"

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        PARKED = "parked"

    kind = models.CharField(max_length=60)
    arguments = models.JSONField(default=dict)
    # Where what it works on belongs; without a site it is of the whole trial.
    trial = models.ForeignKey(
        Trial, on_delete=models.PROTECT, null=True, blank=True, related_name="jobs"
    )
    site = models.ForeignKey(
        Site, on_delete=models.PROTECT, null=True, blank=True, related_name="jobs"
    )
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    token = models.PositiveIntegerField(default=0)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    progress = models.CharField(max_length=120, blank=True)
    error = models.CharField(max_length=500, blank=True)
    queued_at = models.DateTimeField(default=timezone.now)
    not_before = models.DateTimeField(default=timezone.now)
    heartbeat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(
                fields=["state", "not_before"],
                name="job_to_do",
                condition=Q(state__in=["queued", "running"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class JobOrder(models.Model):
    """A parked job was ordered again by a person, and why. Jobs leave no trail, this does."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="orders")
    reason = models.TextField()
    error = models.CharField(max_length=500, blank=True)
    ordered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    ordered_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"job {self.job_id} ordered again"
