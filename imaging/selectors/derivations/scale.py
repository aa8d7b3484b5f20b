"""Where the SUV factor is from: headers, witnesses of the reference time, decay."""

from __future__ import annotations

from collections.abc import Iterator

from imaging.models import Quantification
from imaging.selectors import volumes
from imaging.selectors.derivations.node import Node
from imaging.selectors.derivations.origin import page_of, recorded_version


def scale(run: Quantification, with_origin: bool) -> Node:
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
    version = recorded_version(run)
    by = f", entered by {version.by}" if version else ""
    return f"recorded by the site: {named}{by}", page_of(run, version)
