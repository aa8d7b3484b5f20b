"""What a sender is told of the images it stored (PS3.18 Annex I), as DICOM JSON or XML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from imaging.file_meta import FileMeta

# Failure Reason (0008,1197), PS3.18 table I.2-2.
OUT_OF_RESOURCES = 0xA700
CANNOT_UNDERSTAND = 0xC000
TRANSFER_SYNTAX_NOT_SUPPORTED = 0xC122
PROCESSING_FAILURE = 0x0110
SOP_CLASS_NOT_SUPPORTED = 0x0122

_KEYWORDS = {
    "00081150": ("ReferencedSOPClassUID", "UI"),
    "00081155": ("ReferencedSOPInstanceUID", "UI"),
    "00081197": ("FailureReason", "US"),
    "00081198": ("FailedSOPSequence", "SQ"),
    "00081199": ("ReferencedSOPSequence", "SQ"),
    "0008119A": ("OtherFailuresSequence", "SQ"),
}
_NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that was not kept. `meta` is None where the file does not say what it is."""

    reason: int
    meta: FileMeta | None = None


@dataclass(frozen=True, slots=True)
class StoreResponse:
    """What became of the parts of one request."""

    stored: Sequence[FileMeta] = field(default_factory=list)
    failures: Sequence[Failure] = field(default_factory=list)

    @property
    def status(self) -> int:
        """200 when all were stored, 202 when some were, 409 when none was."""
        if not self.failures:
            return 200
        return 202 if self.stored else 409

    def to_json(self) -> Json:
        """The data set in the DICOM JSON model; no Retrieve URL of what is not released."""
        sequences = {
            "00081198": [_failed(one) for one in self.failures if one.meta],
            "00081199": [_reference(meta) for meta in self.stored],
            "0008119A": [_reason(one.reason) for one in self.failures if one.meta is None],
        }
        return {
            tag: {"vr": "SQ", "Value": items}
            for tag, items in sequences.items()
            if items or (tag == "00081199" and not self.failures)
        }

    def to_xml(self) -> str:
        """The same data set in the Native DICOM Model of PS3.19."""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f'<NativeDicomModel xmlns="{_NAMESPACE}" xml:space="preserve">'
            f"{_attributes(self.to_json())}</NativeDicomModel>"
        )


def _reference(meta: FileMeta) -> Json:
    return {
        "00081150": {"vr": "UI", "Value": [meta.sop_class_uid]},
        "00081155": {"vr": "UI", "Value": [meta.sop_instance_uid]},
    }


def _reason(reason: int) -> Json:
    return {"00081197": {"vr": "US", "Value": [reason]}}


def _failed(failure: Failure) -> Json:
    known = _reference(failure.meta) if failure.meta else {}
    return known | _reason(failure.reason)


def _attributes(data: Json) -> str:
    return "".join(_attribute(tag, element["Value"]) for tag, element in sorted(data.items()))


def _attribute(tag: str, values: Sequence[Any]) -> str:
    keyword, representation = _KEYWORDS[tag]
    inner = "".join(
        f'<Item number="{n}">{_attributes(value)}</Item>'
        if representation == "SQ"
        else f'<Value number="{n}">{escape(str(value))}</Value>'
        for n, value in enumerate(values, start=1)
    )
    return (
        f"<DicomAttribute tag={quoteattr(tag)} vr={quoteattr(representation)} "
        f"keyword={quoteattr(keyword)}>{inner}</DicomAttribute>"
    )
