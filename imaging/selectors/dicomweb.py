"""Released images as DICOMweb looks for them: within the scope of whoever asks, and no others.

Results come from the record alone; files are read where an image itself is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce
from django.http import Http404

from imaging.dicom_search import Json, Search, attributes, clock, day
from imaging.models import DicomObject, ImagingStudy, Instance, Series
from imaging.selectors import written
from trials import permissions
from trials.models import User
from trials.services.errors import Forbidden, Refused

PERMISSION = "images.view"
PATIENT = "scheduled_scan__patient"
# What was written of a measurement says its numbers, which not everybody sees who sees images.
OBJECTS = "objects.view"
_SOURCE = "quantification__series__"
_STUDY = {
    "StudyInstanceUID": "imaging_study__study_instance_uid",
    "PatientID": f"imaging_study__{PATIENT}__identifier__regex",
    # In a released image the name is the identifier; names match in any case of their letters.
    "PatientName": f"imaging_study__{PATIENT}__identifier__iregex",
}
_EXACT = ("StudyInstanceUID", "SeriesInstanceUID")
_PATTERNS = ("PatientID", "PatientName", "Modality")
_OF_SERIES = _STUDY | {"SeriesInstanceUID": "series_instance_uid", "Modality": "modality__regex"}
_OF_OBJECT = {keyword: f"{_SOURCE}{path}" for keyword, path in _STUDY.items()} | {
    "SeriesInstanceUID": "series_instance_uid",
    "Modality": "kind__regex",
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
_OBJECT = _INSTANCE | {
    "SeriesInstanceUID": "series_instance_uid",
    "StudyInstanceUID": f"{_SOURCE}imaging_study__study_instance_uid",
    "Modality": "kind",
}


@dataclass(frozen=True)
class Found:
    """A page of results, and how many there are in all."""

    results: list[Json]
    total: int


@dataclass(frozen=True)
class Held:
    """What is at an address: released images, and objects written of their measurements."""

    images: QuerySet[Instance]
    objects: QuerySet[DicomObject]

    @property
    def digests(self) -> list[str]:
        return [
            *self.images.values_list("sha256", flat=True),
            *self.objects.values_list("sha256", flat=True),
        ]


@dataclass(frozen=True)
class _Listed:
    """A series as it is listed, of images or of one object: with the header of its first."""

    study: ImagingStudy
    modality: str
    series_instance_uid: str
    head: Json
    images: int

    @classmethod
    def of(cls, row: Series | DicomObject) -> _Listed:
        if isinstance(row, DicomObject):
            study = row.quantification.series.imaging_study
            return cls(study, row.kind, row.series_instance_uid, row.header, 1)
        return cls(row.imaging_study, row.modality, row.series_instance_uid, row.head, row.images)


def studies(user: User, search: Search, *, root: str) -> Found:
    """Studies of which a series matches; four queries for any number."""
    matching = _series(user, search).filter(imaging_study=OuterRef("pk"))
    objects = _objects(user, search).filter(**{f"{_SOURCE}imaging_study": OuterRef("pk")})
    rows = ImagingStudy.objects.filter(Exists(matching) | Exists(objects)).order_by("-pk")
    rows = rows.select_related(f"{PATIENT}__trial", f"{PATIENT}__site")
    page, total = _page(search, rows)
    held = [
        *_with_heads(_released(user).filter(imaging_study__in=page)),
        *_with_sources(_written(user).filter(**{f"{_SOURCE}imaging_study__in": page})),
    ]
    listed = [_Listed.of(one) for one in held]
    return Found([_study(row, _of(row, listed), root) for row in page], total)


def series(user: User, search: Search, *, root: str) -> Found:
    """Series that match; four queries for any number."""
    page, total = _page(
        search,
        _with_heads(_series(user, search)).order_by("pk"),
        _with_sources(_objects(user, search)).order_by("pk"),
    )
    return Found([_one_series(_Listed.of(row), root) for row in page], total)


def instances(user: User, search: Search, *, root: str) -> Found:
    """Instances that match; four queries for any number."""
    rows = Instance.objects.filter(series__in=_series(user, search))
    if uids := search.exact.get("SOPInstanceUID"):
        rows = rows.filter(sop_instance_uid__in=uids)
    page, total = _page(
        search,
        rows.order_by("series", "pk").values(*_INSTANCE.values()),
        _objects(user, search).order_by("pk").values(*_OBJECT.values()),
    )
    return Found([_one_instance(row, root) for row in page], total)


def held(user: User, *, study: str, series: str = "", instance: str = "") -> Held:
    """What is at an address, images in the order in which they were released.

    404 where nothing is within the scope of `user`, Forbidden in scope without the right. What
    was written of the images is left out for who may see images alone.
    """
    images = _kept(_at(Instance, study, series, instance), user, "series", PERMISSION)
    objects = written.seen_by(_at(DicomObject, study, series, instance), user)
    if not (series or instance):
        # By its own address what refers to it finds it still.
        objects = objects.filter(superseded_at=None)
    if images is not None:
        seen = _kept_of(objects, user, "quantification__series", OBJECTS)
        return Held(images.select_related("series").order_by("series", "pk"), seen.order_by("pk"))
    kept = _kept(objects, user, "quantification__series", OBJECTS)
    if kept is None:
        raise Http404
    return Held(Instance.objects.none(), kept.order_by("pk"))


def images_of(user: User, **at: str) -> QuerySet[Instance]:
    """The released images at an address, as `held`; what was written of them is none."""
    found = held(user, **at)
    if found.images.query.is_empty():
        raise Refused(
            "no-picture", "Regions and reports have no picture: look at the images they are of."
        )
    return found.images


def _at(
    model: type[Instance] | type[DicomObject], study: str, series: str, instance: str
) -> QuerySet:
    paths = _INSTANCE if model is Instance else _OBJECT
    at = {paths["StudyInstanceUID"]: study}
    if series:
        at[paths["SeriesInstanceUID"]] = series
    if instance:
        at["sop_instance_uid"] = instance
    return model.objects.filter(**at)


def _kept(rows: QuerySet, user: User, path: str, right: str) -> QuerySet | None:
    """The rows that a user may have; None where none is in scope."""
    if not rows.visible_to(user).exists():
        return None
    kept = _kept_of(rows, user, path, right)
    if not kept.exists():
        if not rows.visible_to(user, right).exists():
            raise Forbidden(right)
        raise Refused("not-kept", "These images were destroyed.", status=410)
    return kept


def _kept_of(rows: QuerySet, user: User, path: str, right: str) -> QuerySet:
    return rows.visible_to(user, right).exclude(**{f"{path}__in": _destroyed()})


def in_bulk(held: Held, *, with_faces: bool) -> tuple[list[str], int]:
    """Digests of what is sent without being named one by one, and how many images are not.

    Those from which a face can be rendered are left out unless they are asked for.
    """
    found = list(held.images.values_list("sha256", "series__modality"))
    left_out = () if with_faces else Series.RECOGNIZABLE
    kept = [sha256 for sha256, modality in found if modality not in left_out]
    if not kept:
        raise Refused(
            "recognizable-features",
            "This study has CT images alone, from which a face can be rendered. They are sent with "
            "recognizable=include, or by the address of their series.",
        )
    objects = held.objects.values_list("sha256", flat=True)
    return [*kept, *objects], len(found) - len(kept)


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


def _written(user: User) -> QuerySet[DicomObject]:
    """What stands of the measurements of released series."""
    rows = written.seen_by(DicomObject.objects.visible_to(user, OBJECTS), user)
    return rows.filter(quantification__series__in=_released(user), superseded_at=None)


def _series(user: User, search: Search) -> QuerySet[Series]:
    """The series of images that a search matches."""
    rows = _matching(_released(user), search, _OF_SERIES)
    if uids := search.exact.get("SOPInstanceUID"):
        images = Instance.objects.filter(series=OuterRef("pk"), sop_instance_uid__in=uids)
        rows = rows.filter(Exists(images))
    rows = _by_modalities(rows, search, "imaging_study", user)
    return _by_day(_by_words(rows, search), search)


def _objects(user: User, search: Search) -> QuerySet[DicomObject]:
    """The objects that a search matches; their study is that of the images."""
    rows = _matching(_written(user), search, _OF_OBJECT)
    if uids := search.exact.get("SOPInstanceUID"):
        rows = rows.filter(sop_instance_uid__in=uids)
    rows = _by_modalities(rows, search, f"{_SOURCE}imaging_study", user)
    for keyword, path in _DESCRIBED.items():
        if keyword in search.patterns:
            rows = rows.alias(**{keyword: KT(path)}).filter(
                **{f"{keyword}__regex": _whole(search.patterns[keyword])}
            )
    return _on_days(rows.annotate(study_day=Coalesce(*_DAYS)), search)


def _matching(rows: QuerySet, search: Search, paths: Mapping[str, str]) -> QuerySet:
    if search.matches_nothing:
        return rows.none()
    for keyword in _EXACT:
        if keyword in search.exact:
            rows = rows.filter(**{f"{paths[keyword]}__in": search.exact[keyword]})
    for keyword in _PATTERNS:
        if keyword in search.patterns:
            rows = rows.filter(**{paths[keyword]: _whole(search.patterns[keyword])})
    return rows


def _by_modalities(rows: QuerySet, search: Search, study: str, user: User) -> QuerySet:
    """Of a study in which something has a modality."""
    if not (pattern := search.patterns.get("ModalitiesInStudy")):
        return rows
    images = Series.objects.filter(imaging_study=OuterRef(study), modality__regex=_whole(pattern))
    objects = written.seen_by(DicomObject.objects.all(), user).filter(
        quantification__series__imaging_study=OuterRef(study),
        kind__regex=_whole(pattern),
        superseded_at=None,
    )
    return rows.filter(Exists(images) | Exists(objects))


def _by_words(rows: QuerySet[Series], search: Search) -> QuerySet[Series]:
    for keyword, path in _DESCRIBED.items():
        if keyword in search.patterns:
            said = Subquery(_first_image().annotate(said=KT(path)).values("said")[:1])
            rows = rows.alias(**{keyword: said}).filter(
                **{f"{keyword}__regex": _whole(search.patterns[keyword])}
            )
    return rows


# In records of an earlier release the day of the series stands for that of the study.
_DAYS = (KT("header__study_date"), KT("header__series_date"))


def _by_day(rows: QuerySet[Series], search: Search) -> QuerySet[Series]:
    if search.study_date is None:
        return rows
    on = _first_image().annotate(on=Coalesce(*_DAYS))
    return _on_days(rows.annotate(study_day=Subquery(on.values("on")[:1])), search)


def _on_days(rows: QuerySet, search: Search) -> QuerySet:
    if search.study_date is None:
        return rows
    if search.study_date.first:
        rows = rows.filter(study_day__gte=search.study_date.first.isoformat())
    if search.study_date.last:
        rows = rows.filter(study_day__lte=search.study_date.last.isoformat())
    return rows


def _whole(pattern: str) -> str:
    return f"^({pattern})$"


def _first_image() -> QuerySet[Instance]:
    return Instance.objects.filter(series=OuterRef("pk")).order_by("pk")


def _page(search: Search, *several: QuerySet) -> tuple[list, int]:
    """What is wanted of rows that follow each other, and how many there are in all."""
    found: list = []
    before = 0
    for rows in several:
        count = rows.count()
        first = max(search.offset - before, 0)
        found += rows[first : first + search.limit - len(found)]
        before += count
    return found, before


def _with_heads(rows: QuerySet[Series]) -> QuerySet[Series]:
    """Each with the header of its first image in `head`, and how many it has in `images`."""
    first = _first_image().values("header")
    return rows.select_related(
        f"imaging_study__{PATIENT}__trial", f"imaging_study__{PATIENT}__site"
    ).annotate(images=Count("instances"), head=Subquery(first[:1]))


def _with_sources(rows: QuerySet[DicomObject]) -> QuerySet[DicomObject]:
    """Each with the study that it is of."""
    study = f"{_SOURCE}imaging_study__{PATIENT}"
    return rows.select_related(f"{study}__trial", f"{study}__site")


def _of(study: ImagingStudy, held: Sequence[_Listed]) -> list[_Listed]:
    return [one for one in held if one.study.pk == study.pk]


def _study(study: ImagingStudy, held: Sequence[_Listed], root: str) -> Json:
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


def _one_series(row: _Listed, root: str) -> Json:
    study, head = row.study, row.head
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
    paths = _INSTANCE if _INSTANCE["Modality"] in row else _OBJECT
    found = {keyword: row[path] for keyword, path in paths.items()}
    path = (
        f"{root}/studies/{found['StudyInstanceUID']}/series/{found['SeriesInstanceUID']}"
        f"/instances/{found['SOPInstanceUID']}"
    )
    return attributes(found | {"InstanceAvailability": "ONLINE", "RetrieveURL": path})
