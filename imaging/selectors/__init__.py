"""What the pages and the API show of image series."""

from __future__ import annotations

from django.db.models import Count, Prefetch

from imaging.models import LesionRatio, Quantification, ReceivedFile, Series, Transmittal
from trials.models import Job


def lesions_of(quantification: Quantification):
    """Lesions with their ratios and the regions these refer to; two queries."""
    ratios = LesionRatio.objects.select_related("region")
    return quantification.lesions.prefetch_related(Prefetch("ratios", ratios))


def current_quantification(series: Series) -> Quantification | None:
    return series.quantifications.filter(is_current=True).first()


def file_counts(transmittal: Transmittal) -> dict[str, int]:
    """How many files stand in which state."""
    rows = transmittal.files.values("state").annotate(n=Count("pk")).order_by("state")
    return {row["state"]: row["n"] for row in rows}


def refused_files(transmittal: Transmittal):
    """Files that did not pass, with problem and advice."""
    return transmittal.files.filter(
        state__in=[ReceivedFile.State.REJECTED, ReceivedFile.State.QUARANTINED]
    )


def newest_job(transmittal: Transmittal) -> Job | None:
    """The job that works for this transmittal now, or did last."""
    series = list(transmittal.series.values_list("pk", flat=True))
    mine = Job.objects.filter(kind__startswith="imaging.", arguments__transmittal=transmittal.pk)
    measuring = Job.objects.filter(kind="imaging.quantify", arguments__series__in=series)
    return (mine | measuring).order_by("-pk").first()
