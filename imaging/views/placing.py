"""A blinded reader places a shape by its middle and size, looks at it, and keeps it as a region."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse

from imaging.forms import PlacedShapeForm
from imaging.models import Quantification, Read
from imaging.selectors import reads as selecting
from imaging.services import growing, reads, viewing
from imaging.slices import Plane
from imaging.views.asked import series_of
from trials import segmentation_methods
from trials.services.errors import Invalid, Refused
from trials.views.acts import form_methods, fresh_submission, perform, sent

# In which the shape is shown: of a lesion of 20 mm the middle, and what is around it.
UPPER_SUV = 10
# No volume has as many voxels along an axis.
_VOXEL = re.compile("[0-9]{1,8}")


@form_methods
def place(request: HttpRequest, reading_identifier: str) -> HttpResponse:
    """A shape by numbers, shown on three slices with what is measured in it; then kept."""
    row = series_of(request, reading_identifier, "read.edit")
    read = selecting.own_of(row, request.user)
    form = PlacedShapeForm(
        sent(request), rows=selecting.rows_of(read), initial=_middle(read, request.GET)
    )

    def keep(found: dict) -> str:
        kept = reads.grow(
            read,
            by=request.user,
            voxel=viewing.voxel_of(read.quantification, form.middle_mm()),
            instead_of=found["instead_of"],
            method=method_of(read.quantification, form),
        )
        return f"{reverse('reading', args=[reading_identifier])}?region={kept.number}"

    is_kept = "keep" in request.POST and form.is_valid()
    # Numbers may have been changed since: kept is what was looked at, and nothing else.
    is_other = is_kept and request.POST.get("seen") != form.told()
    if is_kept and not is_other and (done := perform(request, form, keep)):
        return done
    context = {
        "series": row,
        "form": form,
        "inside": segmentation_methods.inside_words(
            segmentation_methods.inside_placed(read.quantification.parameters)
        ),
        "shown": _shown(read.quantification, form),
        "is_other": is_other,
        "submission": fresh_submission(),
        "high": UPPER_SUV,
    }
    status = (form.refused_with or 422) if form.errors or is_other else 200
    return render(request, "imaging/reading_place.html", context, status=status)


def method_of(run: Quantification, form: PlacedShapeForm) -> Mapping[str, Any]:
    """The shape of a form that was found right, as a method of segmentation."""
    found = form.cleaned_data
    return segmentation_methods.placed(run.parameters, shape=found["shape"], size_mm=form.size_mm())


def method_asked(run: Quantification, asked: QueryDict) -> Mapping[str, Any] | None:
    """The shape that the address of a picture names; None where it names none."""
    if "shape" not in asked:
        return None
    try:
        size_mm = [float(one) for one in asked.get("size", "").split(",")]
    except ValueError:
        size_mm = []
    if len(size_mm) != 3:
        raise Invalid("size", "Give three sizes in mm, parted by commas.")
    return segmentation_methods.placed(run.parameters, shape=asked["shape"], size_mm=size_mm)


def _middle(read: Read, asked: QueryDict) -> dict[str, Any]:
    """Where the shape is offered: at the voxel that was clicked, else nowhere."""
    parts = asked.get("voxel", "").split(",")
    if len(parts) != 3 or not all(_VOXEL.fullmatch(one) for one in parts):
        return {}
    place = viewing.place_of(read.quantification, (int(parts[0]), int(parts[1]), int(parts[2])))
    return {name: round(at, 1) for name, at in zip(PlacedShapeForm.MIDDLE, place, strict=True)}


def _shown(run: Quantification, form: PlacedShapeForm) -> dict[str, Any] | None:
    """What a shape takes in, and the slices through its middle; None where it is not told yet."""
    if not form.is_bound or form.errors:
        return None
    try:
        voxel = viewing.voxel_of(run, form.middle_mm())
        found = growing.preview(run, voxel, method=method_of(run, form))
    except Refused as refusal:
        form.refuse(refusal)
        return None
    return {
        "told": form.told(),
        **_slices(run, voxel),
        "measured": found.measured,
        "peak_note": run.peak_note,
        "threshold": found.grown.threshold,
        "voxel": ",".join(map(str, voxel)),
        "shape": form.cleaned_data["shape"],
        "size": ",".join(f"{one:g}" for one in form.size_mm()),
    }


def _slices(run: Quantification, voxel: tuple[int, int, int]) -> dict[str, Any]:
    """The slices through a voxel; of a volume that lies askew the sentence why there are none."""
    try:
        through = viewing.through(run, voxel)
    except Refused as refusal:
        return {"no_slices": str(refusal)}
    return {
        "slices": [
            {"plane": plane, "label": Plane(plane).capitalize(), "index": index}
            for plane, index in through.items()
        ]
    }
