"""Two readers' reads of one scan held against each other, and who settles what they differ in."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from imaging.models.read import Read
from trials import read_rules
from trials.models import ScheduledScan, ScopedModel

QUESTIONS = list(read_rules.QUESTIONS.items())
_PATIENT = "quantification__series__imaging_study__scheduled_scan__patient"


class ReaderAgreement(ScopedModel):
    """One question that two readers of a scan answered, and whether they answered alike.

    It ends when one of the two reads does, or when the answer becomes another.
    """

    trial_path = f"first__{_PATIENT}__trial_id"
    site_path = f"first__{_PATIENT}__site_id"

    # The one signed first.
    first = models.ForeignKey(Read, on_delete=models.PROTECT, related_name="answers_as_first")
    second = models.ForeignKey(Read, on_delete=models.PROTECT, related_name="answers_as_second")
    question = models.CharField(max_length=20, choices=QUESTIONS)
    # The region, the lesion or the rule of response that is asked about; empty of the scan.
    subject = models.CharField(max_length=40, blank=True)
    first_answer = models.CharField(max_length=40)
    second_answer = models.CharField(max_length=40)
    # One of the two did not state it.
    is_comparable = models.BooleanField()
    is_discordant = models.BooleanField()
    # Whether the protocol says that it makes the reads discordant.
    is_asked = models.BooleanField()
    compared_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["first", "second", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="answered_once",
                fields=["first", "second", "question", "subject"],
                condition=Q(ended_at=None),
            ),
            models.CheckConstraint(name="answers_of_two_reads", condition=~Q(first=F("second"))),
        ]

    def __str__(self) -> str:
        return f"{self.get_question_display()}: {self.first} beside {self.second}"


class Adjudication(ScopedModel):
    """What settles the difference of a scan's readers: one of their reads, or one read anew."""

    class Kind(models.TextChoices):
        THIRD_READER = read_rules.THIRD_READER, "Third reader"
        CONSENSUS = read_rules.CONSENSUS, "Consensus of the readers"

    class State(models.TextChoices):
        BEGUN = "begun"
        # Signed by one of the readers; the others have to sign the same.
        PROPOSED = "proposed", "Proposed to the other reader"
        SIGNED = "signed"
        VOID = "void", "Void"

    trial_path = "scheduled_scan__patient__trial_id"
    site_path = "scheduled_scan__patient__site_id"

    scheduled_scan = models.ForeignKey(
        ScheduledScan, on_delete=models.PROTECT, related_name="adjudications"
    )
    kind = models.CharField(max_length=12, choices=Kind)
    adjudicator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="adjudications"
    )
    # The reads that differ, of as many readers.
    reads = models.ManyToManyField(Read, related_name="adjudications")
    # One of them, or the adjudicator's own; with the reason that is signed.
    chosen = models.ForeignKey(
        Read, on_delete=models.PROTECT, null=True, related_name="chosen_by_adjudications"
    )
    reason = models.CharField(max_length=400, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.BEGUN)
    begun_at = models.DateTimeField(default=timezone.now)
    signed_at = models.DateTimeField(null=True)
    voided_at = models.DateTimeField(null=True)
    void_because = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["scheduled_scan", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="one_adjudication_of_a_scan",
                fields=["scheduled_scan"],
                condition=~Q(state="void"),
            ),
            models.CheckConstraint(
                name="signed_adjudication_chooses",
                condition=~Q(state__in=("proposed", "signed"))
                | (Q(chosen__isnull=False) & ~Q(reason="")),
            ),
            models.CheckConstraint(
                name="void_adjudication_says_why",
                condition=Q(state="void", voided_at__isnull=False) & ~Q(void_because="")
                | (~Q(state="void") & Q(voided_at=None, void_because="")),
            ),
        ]

    def __str__(self) -> str:
        return f"adjudication {self.pk}"
