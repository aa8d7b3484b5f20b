"""How a number of a lesion came about: voxels, segmentation, scale, origin."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import Http404

from imaging.models import GrownLesion, Lesion, LesionRead, MeasuredRegion
from imaging.peaks import PeakDefinition
from imaging.selectors import positivity, regions, volumes
from imaging.selectors.derivations.node import Node, undated
from imaging.selectors.derivations.origin import origin
from imaging.selectors.derivations.region import Region, mirror_plane, shape, sphere
from imaging.selectors.derivations.scale import scale
from imaging.selectors.derivations.segmentation import grown, segmentation

QUANTITIES = {
    "suvmax": ("SUVmax", "g/mL", "Highest SUVbw of the lesion's voxels."),
    "suvmean": ("SUVmean", "g/mL", "Mean SUVbw of the lesion's voxels."),
    "suvpeak": (
        "SUVpeak",
        "g/mL",
        # By its definition, below.
        "",
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
# What SUVpeak is, by its definition.
_SPHERE = "1 cm³ sphere (radius 6.2035 mm) centred on"
PEAKS = {
    PeakDefinition.IBSI_GLOBAL: f"Highest mean over a {_SPHERE} a voxel of the lesion.",
    PeakDefinition.IBSI_LOCAL: f"Mean over a {_SPHERE} the hottest voxel of the lesion.",
    PeakDefinition.WEIGHTED: f"Highest mean over a {_SPHERE} a voxel of the lesion, in which a "
    "voxel on the border counts with the part of it that lies inside.",
}
PEAK_IS_CUT = "the image ends within this sphere, and the mean is of what lies inside"
# What rescaled values are in, by Units (0054,1001).
RESCALED_UNITS = {"BQML": "Bq/mL", "CNTS": "counts", "GML": "g/mL"}


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
    source = _peak_words(lesion) if quantity == "suvpeak" else definition
    return Node(
        f"{label} of {_name(lesion)}",
        getattr(lesion, quantity),
        unit,
        source,
        (
            *_voxels(lesion, quantity),
            grown(lesion) if isinstance(lesion, GrownLesion) else segmentation(lesion, with_origin),
            scale(run, with_origin),
            origin(run, with_origin),
        ),
    )


def _peak_words(lesion: MeasuredRegion) -> str:
    words = f"{PEAKS[lesion.suvpeak_definition]} {lesion.suvpeak_definition}"
    if lesion.peak_leaves_image:
        words += f"; {PEAK_IS_CUT}"
    note = lesion.quantification.peak_note
    return f"{words}. {note}" if note else words


def _name(lesion: MeasuredRegion) -> str:
    """A region that a reader grew may have been grown again since: it has no number then."""
    if isinstance(lesion, Lesion):
        return f"lesion {lesion.number}"
    said = LesionRead.objects.filter(grown=lesion).first()
    return f"region {said.number}, grown by the reader" if said else "a region that was grown again"


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
                    f"{region.voxel_count} voxels in {shape(region)}, SD {region.suv_sd:.3g} g/mL",
                    (mirror_plane(region),) if region.plane else (),
                ),
            ),
            formula=f"{getattr(lesion, numerator):.4g} g/mL / {region.suvmean:.4g} g/mL",
        )


def _values(lesion: MeasuredRegion, quantity: str) -> Iterator[tuple[Region, float]]:
    """The ratios of a region of the run as they are stored; of one that was grown, from now."""
    if isinstance(lesion, Lesion):
        stored = regions.ratios_in_force().filter(lesion=lesion)
        yield from ((one.region, getattr(one, quantity)) for one in stored)
        return
    place = list(NUMERATORS).index(quantity)
    own = regions.own_mirror_image(lesion)
    for region in [*regions.background(lesion.quantification), *([own] if own else [])]:
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
            Node(region.get_kind_display(), inputs=tuple(sphere(region))),
        ),
    )


def _voxels(lesion: MeasuredRegion, quantity: str):
    yield Node("Voxels in the lesion", lesion.voxel_count)
    if quantity == "volume_ml" and lesion.extent_mm:
        extent = " × ".join(f"{one:.1f}" for one in lesion.extent_mm)
        yield Node("Extent", extent, "mm", "along planes, rows and columns of the image")
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
