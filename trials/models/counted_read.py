"""Which of the reads of a scan counts, or why none does."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from trials.models.patient import Patient
from trials.models.scan import ScheduledScan
from trials.models.scope import ScopedModel


class CountedRead(ScopedModel):
    """That one signed read counts for a scan, or that none does, from a time until a time.

    It ends when another answer takes its place. A scan that nobody has read has none.
    """

    class Basis(models.TextChoices):
        ONLY = "only", "The only read"
        AGREED = "agreed", "The readers agree"
        ADJUDICATED = "adjudicated", "Adjudicated"
        AWAITING_RESPONSE = "awaiting-response", "Awaiting the response by each reader"
        AWAITING_READERS = "awaiting-readers", "Awaiting a further reader"
        AWAITING_ADJUDICATION = "awaiting-adjudication", "Readers differ, awaiting adjudication"
        UNSETTLED = "unsettled", "Readers differ, and nothing settles it"

    # Those on which a read counts.
    COUNTS = (Basis.ONLY, Basis.AGREED, Basis.ADJUDICATED)

    trial_path = "patient__trial_id"
    site_path = "patient__site_id"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="counted_reads")
    scheduled_scan = models.ForeignKey(
        ScheduledScan, on_delete=models.PROTECT, related_name="counted_reads"
    )
    basis = models.CharField(max_length=24, choices=Basis)
    # The signed row that counts, as its findings name it; none where no read does.
    source_table = models.CharField(max_length=63, blank=True)
    source_pk = models.BigIntegerField(null=True)
    # A sentence of who signed how many reads and what they came to, which names nobody.
    why = models.CharField(max_length=400)
    since = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["scheduled_scan", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="one_counted_read",
                fields=["scheduled_scan"],
                condition=Q(ended_at=None),
            ),
            models.CheckConstraint(
                name="counted_read_is_a_read",
                condition=Q(basis__in=("only", "agreed", "adjudicated"), source_pk__isnull=False)
                | (
                    ~Q(basis__in=("only", "agreed", "adjudicated"))
                    & Q(source_pk=None, source_table="")
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_basis_display()} of {self.scheduled_scan}"

    @property
    def counts(self) -> bool:
        """Whether a read counts."""
        return self.source_pk is not None
