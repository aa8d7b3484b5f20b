"""How a number came about: from the lesion back to the voxel, the file and the syringe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from django.http import Http404
from django.urls import reverse

from imaging.models import (
    GrownLesion,
    Instance,
    Lesion,
    LesionRead,
    MeasuredRegion,
    Quantification,
    ReferenceRegion,
)
from imaging.selectors import positivity, regions, volumes
from trials import segmentation_methods
from trials.models import Injection
from trials.selectors import injection_versions

QUANTITIES = {
    "suvmax": ("SUVmax", "g/mL", "Highest SUVbw of the lesion's voxels."),
    "suvmean": ("SUVmean", "g/mL", "Mean SUVbw of the lesion's voxels."),
    "suvpeak": (
        "SUVpeak",
        "g/mL",
        "Highest mean over a 1 cm³ sphere (radius 6.2035 mm) centred on a voxel of the lesion.",
    ),
    "volume_ml": ("Volume", "mL", "Number of voxels times the volume of a voxel."),
    "total_uptake": ("Total uptake", "g", "SUVmean times volume."),
    "tbr": ("TBR", "", "SUVmax of the lesion over SUVmean of the reference region."),
    "tbr_peak": ("TBR of the peak", "", "SUVpeak of the lesion over SUVmean of the region."),
    "tbr_mean": ("TBR of the mean", "", "SUVmean of the lesion over SUVmean of the region."),
}
POSITIVITY = "positivity"
# What each ratio has above its fraction bar.
NUMERATORS = {"tbr": "suvmax", "tbr_peak": "suvpeak", "tbr_mean": "suvmean"}
OF_REGION = {
    "suvmean": ("SUVmean", "g/mL", "Mean SUVbw of the sphere's voxels."),
    "suv_sd": ("Standard deviation", "g/mL", "Of the SUVbw of the sphere's voxels, of a sample."),
    "cv": ("Coefficient of variation", "", "Standard deviation over SUVmean."),
    "suvmax": ("SUVmax", "g/mL", "Highest SUVbw of the sphere's voxels."),
    "suvpeak": ("SUVpeak", "g/mL", "Highest mean over 1 cm³ around a voxel of the sphere."),
}
# What rescaled values are in, by Units (0054,1001).
RESCALED_UNITS = {"BQML": "Bq/mL", "CNTS": "counts", "GML": "g/mL"}


@dataclass(frozen=True)
class Node:
    """One value in a derivation, where it comes from, and what it was computed from."""

    label: str
    value: Any = None
    unit: str = ""
    source: str = ""
    inputs: tuple[Node, ...] = field(default=())
    # How it follows from its inputs, with the values put in; and the page of the row it is from.
    formula: str = ""
    address: str = ""

    def to_json(self) -> dict:
        return {
            "label": self.label,
            "value": self.value,
            "unit": self.unit,
            "source": self.source,
            "formula": self.formula,
            "address": self.address,
            "inputs": [node.to_json() for node in self.inputs],
        }


def derivation_of(lesion: MeasuredRegion, quantity: str, *, with_origin: bool) -> Node:
    """How one number of a lesion came about, back to the voxel, the syringe and the file.

    Without origin it leaves out transmittal and syringe, and every date: they would tell a blinded
    reader when the patient was scanned. Those of headers are shifted, but alike for all scans of a
    patient.
    """
    node = _derivation_of(lesion, quantity, with_origin)
    return node if with_origin else undated(node)


def _derivation_of(lesion: MeasuredRegion, quantity: str, with_origin: bool) -> Node:
    if quantity == POSITIVITY:
        return _positivity(lesion, with_origin)
    if quantity not in QUANTITIES:
        raise Http404
    label, unit, definition = QUANTITIES[quantity]
    run = lesion.quantification
    if quantity in NUMERATORS:
        inputs = tuple(_ratios(lesion, quantity, with_origin))
        return Node(label, source=definition, inputs=inputs)
    source = f"{definition} {lesion.suvpeak_definition}" if quantity == "suvpeak" else definition
    return Node(
        f"{label} of {_name(lesion)}",
        getattr(lesion, quantity),
        unit,
        source,
        (
            *_voxels(lesion, quantity),
            _grown(lesion)
            if isinstance(lesion, GrownLesion)
            else _segmentation(lesion, with_origin),
            _scale(run, with_origin),
            _origin(run, with_origin),
        ),
    )


def _name(lesion: MeasuredRegion) -> str:
    """A region that a reader grew may have been grown again since: it has no number then."""
    if isinstance(lesion, Lesion):
        return f"lesion {lesion.number}"
    said = LesionRead.objects.filter(grown=lesion).first()
    return f"region {said.number}, grown by the reader" if said else "a region that was grown again"


def region_derivation(region: ReferenceRegion, quantity: str, *, with_origin: bool) -> Node:
    """How one number of a reference region came about; origin as in `derivation_of`."""
    if quantity not in OF_REGION or getattr(region, quantity) is None:
        raise Http404
    run = region.quantification
    node = Node(
        f"{OF_REGION[quantity][0]} of {region.get_kind_display().lower()}",
        inputs=(*_sphere(region), _scale(run, with_origin), _origin(run, with_origin)),
        **_of_region(region, quantity),
    )
    return node if with_origin else undated(node)


# A day, and the time of day that follows it.
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}\S*)?")
NO_DATE = "date not shown to readers"


def undated(node: Node) -> Node:
    """A derivation without any date, wherever in it one is written."""
    return replace(
        node,
        **{
            name: _DATE.sub(NO_DATE, getattr(node, name)) for name in ("label", "source", "formula")
        },
        value=_undated(node.value),
        inputs=tuple(undated(one) for one in node.inputs),
    )


def _undated(value: Any) -> Any:
    if isinstance(value, list):
        return [_undated(one) for one in value]
    if isinstance(value, dict):
        return {name: _undated(one) for name, one in value.items()}
    return _DATE.sub(NO_DATE, value) if isinstance(value, str) else value


def _of_region(region: ReferenceRegion, quantity: str) -> dict[str, Any]:
    _, unit, definition = OF_REGION[quantity]
    if quantity == "suvpeak":
        definition = f"{definition} {region.suvpeak_definition}"
    return {"value": getattr(region, quantity), "unit": unit, "source": definition}


def _sphere(region: ReferenceRegion) -> Iterator[Node]:
    state = region.get_status_display()
    yield Node("Region", state, source="replaced by another since" if region.replaced_at else "")
    yield Node("Voxels in the sphere", region.voxel_count)
    yield Node("Centre", _millimetres(region.centre_mm), source="in the patient's frame (LPS)")
    yield Node("Radius", region.radius_mm, "mm")
    for quantity in ("suvmean", "suv_sd"):
        yield Node(OF_REGION[quantity][0], **_of_region(region, quantity))


def _ratios(lesion: MeasuredRegion, quantity: str, with_origin: bool) -> Iterator[Node]:
    numerator = NUMERATORS[quantity]
    for region, value in _values(lesion, quantity):
        name = region.get_kind_display().lower()
        yield Node(
            f"{QUANTITIES[quantity][0]} to {name}",
            value,
            "",
            region.get_status_display(),
            (
                derivation_of(lesion, numerator, with_origin=with_origin),
                Node(
                    f"SUVmean of {name}",
                    region.suvmean,
                    "g/mL",
                    f"{region.voxel_count} voxels in a sphere of {region.radius_mm:g} mm radius "
                    f"at {_millimetres(region.centre_mm)}, SD {region.suv_sd:.3g} g/mL",
                ),
            ),
            formula=f"{getattr(lesion, numerator):.4g} g/mL / {region.suvmean:.4g} g/mL",
        )


def _values(lesion: MeasuredRegion, quantity: str) -> Iterator[tuple[ReferenceRegion, float]]:
    """The ratios of a region of the run as they are stored; of one that was grown, from now."""
    if isinstance(lesion, Lesion):
        stored = regions.ratios_in_force().filter(lesion=lesion)
        yield from ((one.region, getattr(one, quantity)) for one in stored)
        return
    place = list(NUMERATORS).index(quantity)
    for region in regions.background(lesion.quantification):
        if found := regions.ratios_to(region, lesion):
            yield region, found[place].value


def _positivity(lesion: MeasuredRegion, with_origin: bool) -> Node:
    judging = positivity.judging(lesion.quantification)
    if judging is None:
        raise Http404
    label = f"Positive by computation, {_name(lesion)}"
    found, region = judging.found(lesion), judging.region
    if found is None or region is None or found.is_positive is None:
        why = "no reader has accepted or placed the region on this measurement."
        source = f"{judging.words}: {found.why if found else why}"
        return Node(label, "not checkable", source=source)
    return Node(
        label,
        judging.word(lesion),
        source=found.why,
        inputs=(
            Node("Rule", judging.words, source="protocol version of the trial"),
            derivation_of(lesion, judging.rule["on"], with_origin=with_origin),
            Node("To be exceeded", found.threshold, "g/mL"),
            Node(region.get_kind_display(), inputs=tuple(_sphere(region))),
        ),
    )


def _voxels(lesion: MeasuredRegion, quantity: str):
    yield Node("Voxels in the lesion", lesion.voxel_count)
    if quantity != "suvmax":
        return
    plane, row, column = lesion.suvmax_voxel
    yield Node(
        "Hottest voxel",
        f"plane {plane}, row {row}, column {column}",
        source="stored value × Rescale Slope + Rescale Intercept, times the factor",
        inputs=tuple(_pixel(lesion)),
    )


def _pixel(lesion: MeasuredRegion):
    """The one stored number the maximum was read from, read again from the archive."""
    run = lesion.quantification
    if volumes.input_digest(run.series) != run.input_sha256:
        yield Node("Stored value", source="Not read again: images of this series came since.")
        return
    pixel = volumes.pixel(run.series, tuple(lesion.suvmax_voxel))
    unit = RESCALED_UNITS[run.derivation["units"]]
    yield Node("Stored value", pixel.stored, source="Pixel Data (7FE0,0010)")
    yield Node("Rescale Slope", pixel.slope, unit, "(0028,1053) of this slice")
    yield Node("Rescale Intercept", pixel.intercept, unit, "(0028,1052) of this slice")
    yield Node("Image file", pixel.sha256, source="SHA-256 of the de-identified instance")


def _segmentation(lesion: Lesion, with_origin: bool) -> Node:
    parameters = lesion.quantification.parameters
    if lesion.drawing:
        return Node(
            "Segmentation",
            segmentation_methods.words(parameters),
            source="protocol version of the trial",
            inputs=(_drawn(lesion, lesion.drawing, with_origin),),
        )
    return Node(
        "Segmentation",
        f"{segmentation_methods.words(parameters)}, 26-connected, at least "
        f"{parameters['minimum_volume_ml']:g} mL",
        source="protocol version of the trial",
        inputs=tuple(_threshold(parameters)),
    )


# How regions become voxels, by the modality of their series.
_RULES = {
    "RTSTRUCT": "A voxel belongs where its centre is inside an odd number of the region's contours "
    "in its plane.",
    "SEG": "The voxels of the segment's frames, each put where it says that it lies.",
}


def _drawn(lesion: Lesion, drawing: Instance, with_origin: bool) -> Node:
    """The contours or the segment that somebody drew, and the file that holds them."""
    series = drawing.series
    address = reverse("series", args=[series.pk]) if with_origin else ""
    return Node(
        "Region",
        f"{lesion.region_number}, {lesion.region_label or 'no label'}",
        source=f"of {series}",
        inputs=(
            Node("Voxels", source=_RULES[series.modality]),
            Node("File", drawing.sha256, source="SHA-256 of the de-identified instance"),
        ),
        address=address,
    )


def _grown(lesion: GrownLesion) -> Node:
    plane, row, column = lesion.clicked_voxel
    words = segmentation_methods.click_words(lesion.parameters)
    if lesion.parameters["method"] == segmentation_methods.PLACED:
        place, how = "Middle of the shape", f"placed by the reader: {words}"
    else:
        place, how = "Clicked", f"grown from a click: {words}, 26-connected"
    return Node(
        "Segmentation",
        how,
        source="protocol version of the trial",
        inputs=(
            Node(place, f"plane {plane}, row {row}, column {column}"),
            Node("Lowest SUV that belongs", lesion.threshold, "g/mL"),
            *(Node(name.capitalize(), suv, "g/mL") for name, suv in lesion.came_to.items()),
            *_instead(lesion),
            *_before(lesion),
        ),
    )


def _instead(lesion: GrownLesion) -> Iterator[Node]:
    """The outline whose place a region took: of the two, the grown one counts."""
    said = LesionRead.objects.filter(grown=lesion).select_related("lesion").first()
    if said and said.lesion:
        yield Node(
            "In place of",
            said.lesion.volume_ml,
            "mL",
            f"region {said.lesion.number} as the measurement outlined it, which does not count",
        )


def _before(lesion: GrownLesion) -> Iterator[Node]:
    """What a region was on the measurement before, where it was grown again on this one."""
    if before := lesion.grown_from:
        run = before.quantification.run
        yield Node("Volume before", before.volume_ml, "mL", f"grown at the same place on run {run}")


def _threshold(parameters: dict):
    """What a reference region came to; a fixed number says itself."""
    if parameters["method"] != segmentation_methods.FIXED_THRESHOLD:
        yield Node("Threshold", parameters["suv"], "g/mL", parameters["why"])


def _scale(run: Quantification, with_origin: bool) -> Node:
    derivation = run.derivation
    given = tuple(
        Node(one["name"], one["value"], one["unit"], _place(one["tag"]))
        for one in derivation["inputs"]
    )
    witnesses = tuple(
        Node(one["name"], one["offset"], "s from Series Time", f"{one['says']} {one['note']}")
        for one in derivation["witnesses"]
    )
    return Node(
        "SUVbw factor",
        run.suvbw_factor,
        derivation["factor_unit"],
        f"{derivation['policy']}, version {derivation['policy_version']}",
        (
            *_decay(run, with_origin),
            Node("What was read", source=_files(run), inputs=given),
            Node("Witnesses of the reference time", inputs=witnesses),
        ),
        formula=_formula(run),
    )


def _files(run: Quantification) -> str:
    """The file whose headers were read, of those that the digest of the inputs is over."""
    if volumes.input_digest(run.series) != run.input_sha256:
        return "from files whose digest is below; images of this series came since"
    first = run.series.instances.first()
    return f"from the file of SHA-256 {first.sha256}, of those whose digest is below"


def _place(tag: str) -> str:
    return f"DICOM {tag}" if tag.startswith("(") else tag


def _formula(run: Quantification) -> str:
    """The factor with the values put in; empty where the scanner had put them in before."""
    found = run.derivation
    if run.suvbw_factor is None or found["decayed_activity"] is None:
        return ""
    weight, activity = found["weight"], found["injected_activity"]
    power = f"{found['decay_seconds']:g} s / {found['half_life']:g} s"
    per = f"{weight:g} kg × 1000 / ({activity:g} Bq × 2^(−{power}))"
    if "scanner-suv-factor" in [one["code"] for one in found["adaptations"]]:
        return ""
    return per if found["factor_unit"] == "g/Bq" else f"(7053,xx09) × {per}"


def _decay(run: Quantification, with_origin: bool) -> Iterator[Node]:
    """What the factor was computed from, each with where it is from."""
    found = run.derivation
    source, address = _source(run, with_origin)
    factors = found.get("factors")
    if factors:
        yield Node("Factor of each slice", f"{min(factors):.9g} to {max(factors):.9g}")
    for label, key, unit in (
        ("Weight", "weight", "kg"),
        ("Injected activity", "injected_activity", "Bq"),
        ("Half-life", "half_life", "s"),
        ("Injection to reference", "decay_seconds", "s"),
        ("Decayed activity", "decayed_activity", "Bq"),
    ):
        if found.get(key) is not None:
            is_recorded = key in {"weight", "injected_activity", "decay_seconds"}
            yield Node(
                label,
                found[key],
                unit,
                source if is_recorded else "",
                address=address if is_recorded else "",
            )


def _source(run: Quantification, with_origin: bool) -> tuple[str, str]:
    """Whose weight, activity and time these are, and the page that shows them."""
    codes = [one["code"] for one in run.derivation["adaptations"]]
    if "computed-from-record" not in codes:
        return "the headers of the images", ""
    named = next(one["tag"] for one in run.derivation["inputs"] if one["name"] == "Recorded weight")
    if not with_origin:
        return f"recorded by the site: {named}", ""
    version = _version(run)
    by = f", entered by {version.by}" if version else ""
    return f"recorded by the site: {named}{by}", _page_of(run, version)


def _version(run: Quantification) -> injection_versions.Version | None:
    """The injection as it was recorded when the run was computed beside it."""
    scan = run.series.imaging_study.scheduled_scan_id
    injection = Injection.objects.filter(scheduled_scan=scan).first()
    if injection is None or run.record_version == 0:
        return None
    number = injection.version if run.record_version is None else run.record_version
    return injection_versions.version_of(injection, number)


def _page_of(run: Quantification, version: injection_versions.Version | None) -> str:
    anchor = f"injection-version-{version.number}" if version else "injection"
    scan = run.series.imaging_study.scheduled_scan_id
    return f"{reverse('scan', args=[scan])}#{anchor}"


def _origin(run: Quantification, with_origin: bool) -> Node:
    series = run.series
    count = Instance.objects.filter(series=series).count()
    parts = [
        Node(
            "Run",
            run.run,
            source=f"TrialTrace {run.software_version}{'' if run.is_current else ', superseded'}",
        ),
        Node("Image series", series.reading_identifier, source=f"{count} de-identified instances"),
        Node("Digest of the inputs", run.input_sha256, source="SHA-256 over the instances"),
    ]
    if with_origin:
        parts += _dated(run)
    return Node("Where it comes from", inputs=tuple(parts))


def _dated(run: Quantification):
    """What tells when and for which scan: not for blinded readers."""
    transmittal = run.series.transmittal
    if calibration := run.derivation.get("cross_calibration"):
        yield _cross_calibration(calibration)
    yield Node("Computed", f"{run.computed_at:%Y-%m-%d %H:%M} UTC")
    yield Node(
        "Transmittal",
        transmittal.pk,
        source=f"received {transmittal.completed_at:%Y-%m-%d %H:%M} UTC",
    )
    if version := _version(run):
        yield _syringe(version, _page_of(run, version))


def _cross_calibration(found: dict) -> Node:
    """Shown beside the number that it was not applied to."""
    if found["factor"] is None:
        return Node("Cross-calibration", source=f"none recorded for {found['scanner']}")
    validity = "valid" if found["is_valid"] else "not valid on the day"
    return Node(
        "Cross-calibration",
        found["factor"],
        source=f"{found['scanner']}, {found['reference']}, from {found['valid_from']} to "
        f"{found['valid_until']}: {validity}; shown, not applied",
    )


def _syringe(version: injection_versions.Version, address: str) -> Node:
    injection = version.row
    is_known = injection.residual_activity_mbq is not None
    ahead = injection.calibrator_ahead_s
    return Node(
        "Net injected activity recorded by the site",
        injection.net_activity_mbq,
        "MBq",
        ("assayed less residual, both" if is_known else "an upper bound: the assayed activity")
        + f" decay-corrected to the injection; version {version.number}, entered by {version.by} "
        f"on {version.at:%Y-%m-%d %H:%M} UTC",
        (
            Node(
                "Assayed activity",
                injection.assayed_activity_mbq,
                "MBq",
                f"{injection.assayed_at:%Y-%m-%d %H:%M} UTC",
            ),
            Node(
                "Residual activity",
                injection.residual_activity_mbq,
                "MBq",
                f"{injection.residual_at:%Y-%m-%d %H:%M} UTC"
                if injection.residual_at
                else "not measured",
            ),
            Node(
                "Clock of the dose calibrator",
                ahead,
                "" if ahead is None else "s ahead",
                "not checked" if ahead is None else "taken off the times of assay and residual",
            ),
            Node("Injection", f"{injection.injected_at:%Y-%m-%d %H:%M:%S} UTC"),
            Node("Half-life", injection.half_life_s, "s", "ICRP Publication 107"),
        ),
        address=address,
    )


def _millimetres(point: list[float]) -> str:
    return "({:.1f}, {:.1f}, {:.1f}) mm".format(*point)
