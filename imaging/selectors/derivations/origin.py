"""Where a run is from: its series and transmittal, and the syringe of the scan."""

from __future__ import annotations

from django.urls import reverse

from imaging.models import Instance, Quantification
from imaging.selectors.derivations.node import Node
from trials.models import Injection
from trials.selectors import injection_versions


def recorded_version(run: Quantification) -> injection_versions.Version | None:
    """The injection as it was recorded when the run was computed beside it."""
    scan = run.series.imaging_study.scheduled_scan_id
    injection = Injection.objects.filter(scheduled_scan=scan).first()
    if injection is None or run.record_version == 0:
        return None
    number = injection.version if run.record_version is None else run.record_version
    return injection_versions.version_of(injection, number)


def page_of(run: Quantification, version: injection_versions.Version | None) -> str:
    anchor = f"injection-version-{version.number}" if version else "injection"
    scan = run.series.imaging_study.scheduled_scan_id
    return f"{reverse('scan', args=[scan])}#{anchor}"


def origin(run: Quantification, with_origin: bool) -> Node:
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
    if version := recorded_version(run):
        yield _syringe(version, page_of(run, version))


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
