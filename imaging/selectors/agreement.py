"""How far the readers of a scan answer alike, for those who are shown what several readers say."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from imaging.models import ReaderAgreement
from trials import permissions
from trials.models import User

_SCAN = "quantification__series__imaging_study__scheduled_scan"
# The way from an answer, as a serializer walks it.
FIRST_SCAN = f"first.{_SCAN.replace('__', '.')}"
FIRST_PATIENT = f"{FIRST_SCAN}.patient"
_TRIAL = f"first__{_SCAN}__patient__trial__identifier"


@dataclass(frozen=True)
class Counts:
    """Answers of two readers to one question of a trial that stand."""

    trial: str
    question: str
    is_asked: bool
    asked: int
    alike: int
    not_comparable: int

    @property
    def differing(self) -> int:
        return self.asked - self.alike - self.not_comparable


def answers(user: User, *, trial: str | None = None) -> QuerySet[ReaderAgreement]:
    """What each two readers of a scan answered, as far as the user is shown it."""
    rows = permissions.listed(ReaderAgreement.objects, user, "agreement.view").select_related(
        "first__reader", "second__reader", f"first__{_SCAN}__patient"
    )
    return rows.filter(**{_TRIAL: trial}) if trial else rows


def counts(rows: QuerySet[ReaderAgreement]) -> list[Counts]:
    """How often two readers answered alike, per trial and question; one query.

    What one or both did not state is neither; regions and lesions count one by one.
    """
    found = (
        rows.filter(ended_at=None)
        .order_by()
        .values(_TRIAL, "question", "is_asked")
        .annotate(
            asked=Count("pk"),
            alike=Count("pk", filter=Q(is_discordant=False, is_comparable=True)),
            not_comparable=Count("pk", filter=Q(is_comparable=False)),
        )
        .order_by(_TRIAL, "question", "is_asked")
    )
    return [
        Counts(
            one[_TRIAL],
            one["question"],
            one["is_asked"],
            one["asked"],
            one["alike"],
            one["not_comparable"],
        )
        for one in found
    ]
