"""What signed reads found: the results that eligibility, response and exports use."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from trials import finding_tests
from trials.models.patient import Patient
from trials.models.scan import ScheduledScan
from trials.models.scope import ScopedModel

TESTS = [(one.code, one.name) for one in finding_tests.TESTS.values()]


class Finding(ScopedModel):
    """One result of a scan by one evaluator: of the scan as a whole, or of one lesion of it.

    What superseded it stands beside it; a result is never changed.
    """

    class Role(models.TextChoices):
        READER = "reader"
        # Who settles what the readers differ in.
        ADJUDICATOR = "adjudicator"

    trial_path = "patient__trial_id"
    site_path = "patient__site_id"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="findings")
    scheduled_scan = models.ForeignKey(
        ScheduledScan, on_delete=models.PROTECT, related_name="findings"
    )
    test = models.CharField(max_length=10, choices=TESTS)
    # Of one lesion: its number in the read, and where the reader says that it lies.
    lesion_number = models.PositiveIntegerField(null=True)
    location = models.CharField(max_length=40, blank=True)
    number = models.FloatField(null=True)
    text = models.CharField(max_length=40, blank=True)
    unit = models.CharField(max_length=20, blank=True)
    # How it was measured, where one test can be measured in several ways.
    method = models.CharField(max_length=200, blank=True)
    # The signed row that says so, and the row whose number it is.
    source_table = models.CharField(max_length=63)
    source_pk = models.BigIntegerField()
    subject_table = models.CharField(max_length=63)
    subject_pk = models.BigIntegerField()
    # The run of measurement that was read, and the software that measured.
    run = models.PositiveIntegerField()
    software_version = models.CharField(max_length=40)
    evaluator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="findings"
    )
    role = models.CharField(max_length=12, choices=Role, default=Role.READER)
    found_at = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["scheduled_scan", "source_pk", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="read_finds_once",
                fields=["source_table", "source_pk", "test", "lesion_number"],
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="finding_is_number_or_text",
                condition=Q(number__isnull=False, text="") | (Q(number=None) & ~Q(text="")),
            ),
        ]
        indexes = [models.Index(fields=["source_table", "source_pk"], name="finding_source")]

    @property
    def result(self) -> str:
        """The result to read, with its unit."""
        if self.number is None:
            return self.text.replace("_", " ")
        digits = 0 if self.test == "LESNUM" else 2
        return f"{self.number:.{digits}f} {self.unit}".rstrip()

    @property
    def how(self) -> str:
        """How the result of a scan comes from its lesions."""
        return finding_tests.TESTS[self.test].of_scan

    def __str__(self) -> str:
        return f"{self.test} of {self.scheduled_scan}"
