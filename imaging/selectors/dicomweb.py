"""Released images as DICOMweb looks for them: within the scope of whoever asks, and no others.

Results come from the record alone; files are read where an image itself is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce
from django.http import Http404

from imaging.dicom_search import Json, Search, attributes, clock, day
from imaging.models import ImagingStudy, Instance, Series
from trials import permissions
from trials.models import User
from trials.services.errors import Forbidden, Refused

PERMISSION = "images.view"
PATIENT = "scheduled_scan__patient"
_EXACT = {
    "StudyInstanceUID": "imaging_study__study_instance_uid",
    "SeriesInstanceUID": "series_instance_uid",
}
_PATTERNS = {
    "PatientID": f"imaging_study__{PATIENT}__identifier__regex",
    # In a released image the name is the identifier; names match in any case of their letters.
    "PatientName": f"imaging_study__{PATIENT}__identifier__iregex",
    "Modality": "modality__regex",
}
# In the header of a series' first image. Empty in records of an earlier release.
_DESCRIBED = {
    "StudyDescription": "header__study_description",
    "SeriesDescription": "header__series_description",
}
_INSTANCE = {
    "SOPInstanceUID": "sop_instance_uid",
    "SOPClassUID": "header__sop_class_uid",
    "InstanceNumber": "header__instance_number",
    "Rows": "header__rows",
    "Columns": "header__columns",
    "BitsAllocated": "header__bits_allocated",
    "NumberOfFrames": "header__number_of_frames",
    "SeriesInstanceUID": "series__series_instance_uid",
    "StudyInstanceUID": "series__imaging_study__study_instance_uid",
    "Modality": "series__modality",
    "AvailableTransferSyntaxUID": "header__transfer_syntax_uid",
}


@dataclass(frozen=True)
class Found:
    """A page of results, and how many there are in all."""

    results: list[Json]
    total: int


def studies(user: User, search: Search, *, root: str) -> Found:
    """Studies of which a series matches; three queries for any number."""
    matching = _series(user, search).filter(imaging_study=OuterRef("pk"))
    rows = ImagingStudy.objects.filter(Exists(matching)).order_by("-pk")
    page, total = _page(rows.select_related(f"{PATIENT}__trial", f"{PATIENT}__site"), search)
    held = _with_heads(_released(user).filter(imaging_study__in=page))
    return Found([_study(row, _of(row, held), root) for row in page], total)


def series(user: User, search: Search, *, root: str) -> Found:
    """Series that match; two queries for any number."""
    rows = _with_heads(_series(user, search)).order_by("pk")
    page, total = _page(rows, search)
    return Found([_one_series(row, root) for row in page], total)


def instances(user: User, search: Search, *, root: str) -> Found:
    """Instances that match; two queries for any number."""
    rows = Instance.objects.filter(series__in=_series(user, search))
    if uids := search.exact.get("SOPInstanceUID"):
        rows = rows.filter(sop_instance_uid__in=uids)
    page, total = _page(rows.order_by("series", "pk").values(*_INSTANCE.values()), search)
    return Found([_one_instance(row, root) for row in page], total)


def images_of(
    user: User, *, study: str, series: str = "", instance: str = ""
) -> QuerySet[Instance]:
    """The released images at an address, in the order in which they were released.

    404 where nothing is within the scope of `user`, Forbidden in scope without the right.
    """
    at = {"series__imaging_study__study_instance_uid": study}
    if series:
        at["series__series_instance_uid"] = series
    if instance:
        at["sop_instance_uid"] = instance
    rows = Instance.objects.filter(**at)
    if not rows.visible_to(user).exists():
        raise Http404
    granted = rows.visible_to(user, PERMISSION)
    kept = granted.exclude(series__in=_destroyed())
    if not kept.exists():
        if not granted.exists():
            raise Forbidden(PERMISSION)
        raise Refused("not-kept", "These images were destroyed.", status=410)
    return kept.select_related("series").order_by("series", "pk")


def in_bulk(images: QuerySet[Instance], *, with_faces: bool) -> tuple[list[str], int]:
    """Digests of the images that are sent without being named one by one, and how many are not.

    Those from which a face can be rendered are left out unless they are asked for.
    """
    found = list(images.values_list("sha256", "series__modality"))
    left_out = () if with_faces else Series.RECOGNIZABLE
    kept = [sha256 for sha256, modality in found if modality not in left_out]
    if not kept:
        raise Refused(
            "recognizable-features",
            "This study has CT images alone, from which a face can be rendered. They are sent with "
            "recognizable=include, or by the address of their series.",
        )
    return kept, len(found) - len(kept)


def middle(images: QuerySet[Instance]) -> Instance:
    """The image that stands for several."""
    return images[images.count() // 2]


def _destroyed() -> QuerySet[Series]:
    return Series.objects.filter(
        Q(**{f"imaging_study__{PATIENT}__destruction__isnull": False}) | Q(code__in=Series.GONE)
    )


def _released(user: User) -> QuerySet[Series]:
    return (
        permissions.listed(Series.objects, user, PERMISSION)
        .filter(**{f"imaging_study__{PATIENT}__destruction__isnull": True})
        .exclude(code__in=Series.GONE)
    )


def _series(user: User, search: Search) -> QuerySet[Series]:
    """The series that a search matches."""
    rows = _released(user)
    if search.matches_nothing:
        return rows.none()
    for keyword, path in _EXACT.items():
        if keyword in search.exact:
            rows = rows.filter(**{f"{path}__in": search.exact[keyword]})
    for keyword, path in _PATTERNS.items():
        if keyword in search.patterns:
            rows = rows.filter(**{path: _whole(search.patterns[keyword])})
    return _by_day(_by_words(rows.filter(_by_others(search)), search), search)


def _by_others(search: Search) -> Q:
    """What is asked of the images of a series, or of the other series of its study."""
    found = Q()
    if uids := search.exact.get("SOPInstanceUID"):
        images = Instance.objects.filter(series=OuterRef("pk"), sop_instance_uid__in=uids)
        found &= Q(Exists(images))
    if pattern := search.patterns.get("ModalitiesInStudy"):
        others = Series.objects.filter(
            imaging_study=OuterRef("imaging_study"), modality__regex=_whole(pattern)
        )
        found &= Q(Exists(others))
    return found


def _by_words(rows: QuerySet[Series], search: Search) -> QuerySet[Series]:
    for keyword, path in _DESCRIBED.items():
        if keyword in search.patterns:
            said = Subquery(_first_image().annotate(said=KT(path)).values("said")[:1])
            rows = rows.alias(**{keyword: said}).filter(
                **{f"{keyword}__regex": _whole(search.patterns[keyword])}
            )
    return rows


def _by_day(rows: QuerySet[Series], search: Search) -> QuerySet[Series]:
    if search.study_date is None:
        return rows
    # In records of an earlier release the day of the series stands for that of the study.
    on = _first_image().annotate(on=Coalesce(KT("header__study_date"), KT("header__series_date")))
    rows = rows.annotate(study_day=Subquery(on.values("on")[:1]))
    if search.study_date.first:
        rows = rows.filter(study_day__gte=search.study_date.first.isoformat())
    if search.study_date.last:
        rows = rows.filter(study_day__lte=search.study_date.last.isoformat())
    return rows


def _whole(pattern: str) -> str:
    return f"^({pattern})$"


def _first_image() -> QuerySet[Instance]:
    return Instance.objects.filter(series=OuterRef("pk")).order_by("pk")


def _page(rows: QuerySet, search: Search) -> tuple[list, int]:
    return list(rows[search.offset : search.offset + search.limit]), rows.count()


def _with_heads(rows: QuerySet[Series]) -> QuerySet[Series]:
    """Each with the header of its first image in `head`, and how many it has in `images`."""
    first = _first_image().values("header")
    return rows.select_related(
        f"imaging_study__{PATIENT}__trial", f"imaging_study__{PATIENT}__site"
    ).annotate(images=Count("instances"), head=Subquery(first[:1]))


def _of(study: ImagingStudy, held: QuerySet[Series]) -> list[Series]:
    return [one for one in held if one.imaging_study_id == study.pk]


def _study(study: ImagingStudy, held: Sequence[Series], root: str) -> Json:
    return attributes(
        _of_study(study, held[0].head)
        | {
            "ModalitiesInStudy": sorted({one.modality for one in held}),
            "NumberOfStudyRelatedSeries": len(held),
            "NumberOfStudyRelatedInstances": sum(one.images for one in held),
            "RetrieveURL": f"{root}/studies/{study.study_instance_uid}",
        }
    )


def _of_study(study: ImagingStudy, head: Json) -> dict[str, Any]:
    patient = study.scheduled_scan.patient
    return {
        "StudyDate": day(head.get("study_date") or head.get("series_date")),
        "StudyTime": clock(head.get("study_time") or head.get("series_time")),
        "AccessionNumber": None,
        "InstanceAvailability": "ONLINE",
        "ReferringPhysicianName": None,
        "StudyDescription": head.get("study_description") or None,
        "PatientName": patient.identifier,
        "PatientID": patient.identifier,
        "PatientBirthDate": None,
        "PatientSex": head.get("patient_sex") or None,
        "ClinicalTrialProtocolID": patient.trial.identifier,
        "ClinicalTrialSiteID": patient.site.code,
        "ClinicalTrialSubjectID": patient.identifier,
        "StudyInstanceUID": study.study_instance_uid,
        "StudyID": None,
    }


def _one_series(row: Series, root: str) -> Json:
    study, head = row.imaging_study, row.head
    path = f"{root}/studies/{study.study_instance_uid}/series/{row.series_instance_uid}"
    return attributes(
        _of_study(study, head)
        | {
            "Modality": row.modality,
            "SeriesDescription": head.get("series_description") or None,
            "SeriesInstanceUID": row.series_instance_uid,
            "SeriesNumber": head.get("series_number"),
            "SeriesDate": day(head.get("series_date")),
            "SeriesTime": clock(head.get("series_time")),
            "Manufacturer": head.get("manufacturer"),
            "ManufacturerModelName": head.get("model"),
            "NumberOfSeriesRelatedInstances": row.images,
            "RetrieveURL": path,
        }
    )


def _one_instance(row: dict[str, Any], root: str) -> Json:
    found = {keyword: row[path] for keyword, path in _INSTANCE.items()}
    path = (
        f"{root}/studies/{found['StudyInstanceUID']}/series/{found['SeriesInstanceUID']}"
        f"/instances/{found['SOPInstanceUID']}"
    )
    return attributes(found | {"InstanceAvailability": "ONLINE", "RetrieveURL": path})
