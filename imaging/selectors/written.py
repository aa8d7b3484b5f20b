"""What was written of runs and reads as DICOM, as far as a user may see it.

Who may read sees nothing of what others read: neither on a page nor over DICOMweb.
"""

from __future__ import annotations

from django.db.models import Q, QuerySet

from imaging.models import DicomObject, Quantification
from trials.models import ScopedQuerySet, User


def seen_by(rows: ScopedQuerySet, user: User) -> ScopedQuerySet:
    """Without what is of a read, where findings are not shown to the user."""
    shown = DicomObject.objects.visible_to(user, "finding.view")
    read_by_all = DicomObject.objects.visible_to(user, "reading.view")
    return rows.filter(
        Q(read=None) | Q(pk__in=shown.values("pk")) & ~Q(pk__in=read_by_all.values("pk"))
    )


def of_run(run: Quantification | None, user: User) -> QuerySet[DicomObject]:
    """What stands of a run and of its reads; of an earlier run, what was written last."""
    rows = seen_by(DicomObject.objects.all(), user).filter(quantification=run)
    if run is not None and run.is_current:
        rows = rows.filter(superseded_at=None)
    return rows.order_by("read", "kind", "-pk")
