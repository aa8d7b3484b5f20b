"""What the pages and the API show of image series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Count, Prefetch, QuerySet

from imaging import geometry, suv_terms
from imaging.models import (
    Lesion,
    Quantification,
    ReceivedFile,
    ReferenceRegion,
    Series,
    Transmittal,
)
from imaging.selectors import regions
from trials.models import Job

FLAGS = {
    **suv_terms.FLAGS,
    **geometry.FLAGS,
    # What runs of an earlier release called it.
    "fewer-slices-than-announced": suv_terms.FLAGS["incomplete"],
    "residual-not-measured": "The residual activity was not measured: the SUV rests on an "
    "activity that is an upper bound, and is too low by the share that stayed in the syringe.",
    "cross-calibration-not-valid": "The scanner had no valid cross-calibration with the dose "
    "calibrator on the day of the scan.",
    "reference-region-missing": "The protocol takes the threshold of lesions from a reference "
    "region, and none is placed: no lesion is outlined until a reader places it.",
    "threshold-from-proposed-region": "The threshold of lesions rests on a region that was "
    "proposed and that no reader accepted. Once one does, or places another, the series is "
    "measured again.",
    "no-imported-regions": "The protocol takes lesions from regions drawn in another program, and "
    "none lies on this series yet. Send the structure set or segmentation: the series is then "
    "measured again.",
    "regions-on-other-images": "Regions of this scan were drawn on other images, such as the CT, "
    "and are not measured here: they are not resampled. Have them drawn on this series.",
    "regions-overlap": "Regions drawn in another program overlap: sums over lesions count the "
    "voxels that they share more than once.",
    "no-picture": "The volume lies askew in the patient: no projection could be drawn.",
}


def lesions_of(quantification: Quantification):
    """Lesions with their ratios to the regions in force, and positivity by these; three queries."""
    return quantification.lesions.select_related("drawing__series").prefetch_related(
        Prefetch("ratios", regions.ratios_in_force()),
        Prefetch("positivities", regions.positivities_in_force()),
    )


def flags_of(quantification: Quantification) -> list[str]:
    """What a person should look at before using the numbers of this run, in sentences."""
    return [FLAGS[code] for code in quantification.flags]


def suv_source_of(quantification: Quantification) -> str:
    """Whose weight, activity and injection time a run was computed from."""
    codes = {one["code"] for one in quantification.derivation.get("adaptations", ())}
    if "computed-from-record" in codes:
        return "the record of the site"
    if "record-not-applied" in quantification.flags:
        return "the scanner, which put them into the values"
    if "weight-from-record" in quantification.flags:
        return "the headers of the images, the weight from the record"
    return "the headers of the images"


def current_quantification(series: Series) -> Quantification | None:
    return series.quantifications.filter(is_current=True).first()


def to_read(series: QuerySet[Series]) -> QuerySet[Series]:
    """Those that readers read: measured, and the one of its scan that counts."""
    return series.filter(modality="PT", state=Series.State.QUANTIFIED, counts=True)


def series_of(transmittal: Transmittal) -> QuerySet[Series]:
    """The series it brought images of, also where an earlier transmittal brought the first."""
    return Series.objects.filter(instances__received_file__transmittal=transmittal).distinct()


def file_counts(transmittal: Transmittal) -> dict[str, int]:
    """How many files stand in which state."""
    rows = transmittal.files.values("state").annotate(n=Count("pk")).order_by("state")
    return {row["state"]: row["n"] for row in rows}


@dataclass(frozen=True)
class Refusal:
    """Files that did not pass for one reason: state, problem with advice, and their digests."""

    state: ReceivedFile.State
    message: str
    digests: list[str]


def refusals(transmittal: Transmittal) -> list[Refusal]:
    """Why files did not pass, most files first; an archive does not, its files do."""
    state = ReceivedFile.State
    stopped = [state.REJECTED, state.QUARANTINED, state.UNPACKED]
    found: dict[tuple[str, str], list[str]] = {}
    files = transmittal.files.filter(state__in=stopped)
    for state, message, sha256 in files.values_list("state", "message", "sha256"):
        found.setdefault((state, message), []).append(sha256)
    rows = [Refusal(ReceivedFile.State(key[0]), key[1], found[key]) for key in found]
    return sorted(rows, key=lambda row: -len(row.digests))


def newest_job(transmittal: Transmittal) -> Job | None:
    """The job that works for this transmittal now, or did last."""
    series = list(series_of(transmittal).values_list("pk", flat=True))
    mine = Job.objects.filter(kind__startswith="imaging.", arguments__transmittal=transmittal.pk)
    measuring = Job.objects.filter(kind="imaging.quantify", arguments__series__in=series)
    return (mine | measuring).order_by("-pk").first()


@dataclass
class Standing:
    """How far a transmittal has come: its files by state, its series, the job at work."""

    files: dict[str, int] = field(default_factory=dict)
    series: list[int] = field(default_factory=list)
    job: Job | None = None


def with_standing(transmittals: Sequence[Transmittal]) -> Sequence[Transmittal]:
    """The same transmittals, each with its `standing`; three queries for any number."""
    found = {row.pk: Standing() for row in transmittals}
    files = ReceivedFile.objects.filter(transmittal__in=found)
    for row in files.values("transmittal", "state").annotate(n=Count("pk")).order_by("state"):
        found[row["transmittal"]].files[row["state"]] = row["n"]
    senders = _senders(found)
    for series, transmittals_of_it in senders.items():
        for transmittal in transmittals_of_it:
            found[transmittal].series.append(series)
    # In the order of their keys, so that the newest remains.
    for job in _jobs(found, senders).order_by("pk"):
        mine = job.arguments.get("transmittal")
        for transmittal in [mine] if mine else senders[job.arguments["series"]]:
            found[transmittal].job = job
    for row in transmittals:
        row.standing = found[row.pk]
    return transmittals


def _senders(transmittals) -> dict[int, list[int]]:
    """For each series those of the transmittals that brought images of it."""
    sender = "instances__received_file__transmittal"
    rows = Series.objects.filter(**{f"{sender}__in": transmittals}).order_by("pk", sender)
    senders: dict[int, list[int]] = {}
    for series, transmittal in rows.values_list("pk", sender).distinct():
        senders.setdefault(series, []).append(transmittal)
    return senders


def _jobs(transmittals, series) -> QuerySet[Job]:
    imaging = Job.objects.filter(kind__startswith="imaging.")
    mine = imaging.filter(arguments__transmittal__in=list(transmittals))
    measuring = imaging.filter(arguments__series__in=list(series))
    return mine | measuring


def measured_series():
    """Series with their current measurement in `current`; a fixed number of queries."""
    lesions = Lesion.objects.select_related("drawing").prefetch_related(
        Prefetch("ratios", regions.ratios_in_force()),
        Prefetch("positivities", regions.positivities_in_force()),
    )
    in_force = ReferenceRegion.objects.filter(regions.IN_FORCE)
    runs = Quantification.objects.filter(is_current=True).prefetch_related(
        Prefetch("lesions", lesions), Prefetch("reference_regions", in_force), "pictures"
    )
    return Series.objects.select_related("imaging_study__scheduled_scan__patient").prefetch_related(
        Prefetch("quantifications", runs, to_attr="current"), "findings", "proofs"
    )
