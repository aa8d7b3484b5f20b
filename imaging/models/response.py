"""Response to treatment: what a reader answers beside the lesions, and what a scale makes of it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from imaging.models.read import Read
from trials import response_rules
from trials.models import ProtocolVersion, ScopedModel

_PATIENT = "quantification__series__imaging_study__scheduled_scan__patient"


class ResponseAnswers(ScopedModel):
    """What one read answers to the questions of the scales; signed with the read."""

    trial_path = f"read__{_PATIENT}__trial_id"
    site_path = f"read__{_PATIENT}__site_id"

    read = models.OneToOneField(Read, on_delete=models.PROTECT, related_name="response_answers")
    # By the code of the question; see `imaging.response.questions`.
    answers = models.JSONField(default=dict)
    answered_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["read"]
        verbose_name_plural = "response answers"

    def __str__(self) -> str:
        return f"answers of {self.read}"


class ResponseEvaluation(ScopedModel):
    """A response by one scale, from what was frozen of one reader's reads. Never edited.

    It holds until another supersedes it, or one of its reads ends.
    """

    CRITERIA = [(code, one.name) for code, one in response_rules.CRITERIA.items()]

    trial_path = f"later_read__{_PATIENT}__trial_id"
    site_path = f"later_read__{_PATIENT}__site_id"

    version = models.ForeignKey(ProtocolVersion, on_delete=models.PROTECT, related_name="+")
    # The rule of the protocol version, and its scale.
    rule = models.CharField(max_length=20)
    criterion = models.CharField(max_length=10, choices=CRITERIA)
    reader = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="response_evaluations"
    )
    # None where the scale compares with no baseline scan, and none is read.
    baseline_read = models.ForeignKey(
        Read, on_delete=models.PROTECT, null=True, related_name="responses_as_baseline"
    )
    later_read = models.ForeignKey(
        Read, on_delete=models.PROTECT, related_name="responses_as_later"
    )
    # By CDISC's ONCRSR and DPETSCRS; NE is not evaluable, and `why` says what stands against it.
    category = models.CharField(max_length=15)
    # The best so far, confirmed as the rule asks; of RECIST.
    best = models.CharField(max_length=15, blank=True)
    why = models.TextField()
    # Name, value and unit of each number it rests on; what is to be known beside it.
    numbers = models.JSONField(default=list)
    flags = models.JSONField(default=list)
    # The table that was applied.
    source = models.CharField(max_length=200)
    # All that the scale looked at, frozen, and its SHA-256 as canonical JSON.
    inputs = models.JSONField()
    inputs_sha256 = models.CharField(max_length=64)
    software_version = models.CharField(max_length=40)
    evaluated_at = models.DateTimeField(default=timezone.now)
    # When a height or sex that came later was last found to change nothing.
    confirmed_at = models.DateTimeField(null=True)
    # Until another takes its place, or it ends.
    is_current = models.BooleanField(default=True)
    supersedes = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="superseded_by"
    )
    ended_at = models.DateTimeField(null=True)
    # Why it holds no more although nothing took its place.
    ended_because = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["later_read", "rule", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="one_current_evaluation",
                fields=["later_read", "rule"],
                condition=Q(is_current=True),
            ),
            models.CheckConstraint(
                name="ended_evaluation_says_why",
                condition=Q(ended_at=None, ended_because="")
                | (Q(ended_at__isnull=False, is_current=False) & ~Q(ended_because="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_criterion_display()} {self.category}"
