"""The phantom's spheres: what the closed form expects against what the product measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

from imaging import expectations, phantom
from imaging.expectations import Expected

LABELS = {
    "suvmax": "SUVmax, g/mL",
    "suvmean": "SUVmean, g/mL",
    "suvpeak": "SUVpeak, g/mL",
    "volume_ml": "Volume, mL",
    "liver": "TBR to liver",
    "blood_pool": "TBR to blood pool",
}
ORGANS = {"liver": "liver", "blood_pool": "blood pool"}
# A lesion belongs to a sphere when its centroid is this near, in mm.
SAME_PLACE_MM = 4.0


@dataclass(frozen=True)
class Compared:
    """One quantity of one sphere; nothing measured is never right."""

    expected: Expected
    measured: float | None

    @property
    def agrees(self) -> bool:
        return self.measured is not None and self.expected.admits(self.measured)

    def __str__(self) -> str:
        found = "  –  " if self.measured is None else f"{self.measured:5.2f}"
        mark = "✓" if self.agrees else "✗"
        return f"{self.expected.value:5.2f} {found} ±{self.expected.tolerance:4.2f} {mark}"


def compared(
    lesions: tuple[phantom.Sphere, ...], tracer: phantom.Tracer, measurement: dict
) -> dict[str, list[Compared]]:
    """By quantity, one comparison for each sphere."""
    columns = [_sphere(sphere, tracer, measurement) for sphere in lesions]
    return {name: [column[name] for column in columns] for name in LABELS}


def rows(table: dict[str, list[Compared]]) -> list[list[str]]:
    return [[LABELS[name], *map(str, cells)] for name, cells in table.items()]


def disagreements(table: dict[str, list[Compared]]) -> int:
    return sum(not cell.agrees for cells in table.values() for cell in cells)


def lesion_of(sphere: phantom.Sphere, measurement: dict) -> dict | None:
    """The measured lesion that lies where the sphere is, if there is one."""
    near = [
        one
        for one in measurement["lesions"]
        if math.dist(one["centroid_mm"], sphere.centre) < SAME_PLACE_MM
    ]
    return near[0] if len(near) == 1 else None


def _sphere(
    sphere: phantom.Sphere, tracer: phantom.Tracer, measurement: dict
) -> dict[str, Compared]:
    expected = expectations.of_sphere(
        sphere.blurred(tracer),
        threshold=measurement["parameters"]["suv"],
        spacing=phantom.PET_GRID.spacing,
        noise=phantom.NOISE,
    )
    lesion = lesion_of(sphere, measurement)
    values = {name: Compared(one, lesion and lesion[name]) for name, one in expected.items()}
    return values | {
        kind: _ratio(kind, expected["suvmax"], tracer, lesion, measurement) for kind in ORGANS
    }


def _ratio(
    kind: str, suvmax: Expected, tracer: phantom.Tracer, lesion: dict | None, measurement: dict
) -> Compared:
    regions = [one for one in measurement["reference_regions"] if one["kind"] == kind]
    ratios = [one for one in (lesion or {}).get("ratios", []) if one["kind"] == kind]
    expected = expectations.ratio(
        suvmax,
        reference=tracer.suv[ORGANS[kind]],
        voxels=regions[-1]["voxel_count"] if regions else 1,
        noise=phantom.NOISE,
    )
    return Compared(expected, ratios[-1]["tbr"] if ratios else None)
