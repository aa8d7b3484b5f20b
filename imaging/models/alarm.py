"""Who was told by e-mail of what stays longer than it should."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class AlarmMail(models.Model):
    """A person told by e-mail that something waits: once a day for each thing, without a name."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    # What waits, as table and primary key.
    subject_table = models.CharField(max_length=63)
    subject_pk = models.BigIntegerField()
    # By the calendar of UTC.
    on = models.DateField()
    sent_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                name="told_once_a_day", fields=["user", "subject_table", "subject_pk", "on"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject_table} {self.subject_pk} told to {self.user}"
