"""define.xml from the description of its datasets, built and written by odmlib.

Identifiers are those that the Dataset-JSON of the same export refers to: IG.LB is a dataset and
IT.LB.LBTEST a variable. The same description gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import Any

from odmlib.define_2_1 import model as xml

from reporting.define.model import Codelist, Item, Origin, Standard, Study, Table, Term, ValueLevel
from reporting.define.page import STYLESHEET
from reporting.odm.xml import allowed

DEFINE_VERSION = "2.1.0"
LANGUAGE = "en"
_SHOWN_BY = f'<?xml-stylesheet type="text/xsl" href="{STYLESHEET}"?>'
# The lists of NCI's thesaurus that codes are of.
NCI_CODES = "nci:ExtCodeID"


def written(study: Study, standards: Sequence[Standard], tables: Sequence[Table]) -> bytes:
    """define.xml of these datasets, in their order.

    Raises
    ------
    ValueError
        When a dataset names a standard that is none of those given, two lists of different terms
        have one key, a description is none that Define-XML allows, or a text is none of XML.
    """
    known = {one.key for one in standards}
    if unknown := sorted({one.standard for one in tables} - known):
        raise ValueError(f"no standard is called {', '.join(unknown)}")
    words = _Words()
    of_study = xml.Study(OID=study.name)
    of_study.GlobalVariables = xml.GlobalVariables()
    of_study.GlobalVariables.StudyName = xml.StudyName(_content=study.name)
    of_study.GlobalVariables.StudyDescription = xml.StudyDescription(_content=study.description)
    of_study.GlobalVariables.ProtocolName = xml.ProtocolName(_content=study.protocol)
    of_study.MetaDataVersion = _metadata(study, standards, tables, words)
    moment = f"{study.as_of.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    root = xml.ODM(
        FileType="Snapshot",
        FileOID=f"{study.name}.{study.export}.define",
        CreationDateTime=moment,
        AsOfDateTime=moment,
        ODMVersion="1.3.2",
        SourceSystem="TrialTrace",
        SourceSystemVersion=study.software,
        Context="Submission",
    )
    root.Study = of_study
    text: str = root.to_xml_string(xml_declaration=True)
    declaration, rest = text.split("?>", 1)
    # odmlib writes such a character as it is.
    return allowed(f"{declaration}?>\n{_SHOWN_BY}{rest}").encode()


class _Words:
    """Methods and comments by their words: each is defined once, by who first says it."""

    def __init__(self) -> None:
        self.methods: dict[str, list[str]] = {}
        self.comments: dict[str, str] = {}

    def method(self, words: str, key: str) -> str:
        of = self.methods.setdefault(words, [])
        if key not in of:
            of.append(key)
        return _method_oid(of)

    def comment(self, words: str, key: str) -> str:
        return self.comments.setdefault(words, f"COM.{key}")


def _method_oid(of: Sequence[str]) -> str:
    return f"MT.{of[0]}"


def _method_name(of: Sequence[str]) -> str:
    return f"Derivation of {of[0]}{' and others' if len(of) > 1 else ''}"


def _metadata(
    study: Study, standards: Sequence[Standard], tables: Sequence[Table], words: _Words
) -> Any:
    metadata = xml.MetaDataVersion(
        OID=f"MDV.{study.name}.{study.export}",
        Name=f"{study.name}, export {study.export}",
        Description=f"Datasets of {study.name}",
        DefineVersion=DEFINE_VERSION,
    )
    metadata.Standards = xml.Standards()
    metadata.Standards.Standard = [_standard(one) for one in standards]
    metadata.ItemGroupDef = [_table(one, words) for one in tables]
    metadata.ItemDef = [
        _item_def(one, _oid(table, one), table, words) for table, one in _items(tables)
    ]
    for table, of, value in _value_levels(tables):
        metadata.ItemDef.append(_item_def(value.item, _value_oid(table, of, value), table, words))
    metadata.ValueListDef = [
        _value_list(table, one, words) for table, one in _items(tables) if one.values
    ]
    conditions = dict(_conditions(tables))
    metadata.WhereClauseDef = [conditions[oid] for oid in conditions]
    metadata.CodeList = [_codelist(one, words) for one in _codelists(tables)]
    metadata.MethodDef = [
        xml.MethodDef(
            OID=_method_oid(of),
            Name=_method_name(of),
            Type="Computation",
            Description=_said(said),
        )
        for said, of in words.methods.items()
    ]
    metadata.CommentDef = [
        xml.CommentDef(OID=oid, Description=_said(said)) for said, oid in words.comments.items()
    ]
    return metadata


def _standard(of: Standard) -> Any:
    given = {"PublishingSet": of.publishing_set} if of.publishing_set else {}
    return xml.Standard(
        OID=f"STD.{of.key}",
        Name=of.name,
        Type=of.kind,
        Version=of.version,
        Status="Final",
        **given,
    )


def _table(of: Table, words: _Words) -> Any:
    group = xml.ItemGroupDef(
        OID=f"IG.{of.name}",
        Name=of.name,
        Repeating=_yes(of.is_repeating),
        IsReferenceData=_yes(of.is_reference),
        SASDatasetName=of.name,
        Domain=of.domain,
        Purpose=of.purpose,
        Structure=of.structure,
        StandardOID=f"STD.{of.standard}",
        ArchiveLocationID=f"LF.{of.name}",
        **_comment(of.comment, of.name, words),
    )
    group.Description = _said(of.label)
    for number, one in enumerate(of.items, 1):
        group.ItemRef.append(_item_ref(of, one, number, words))
    # `class` is a word of Python: odmlib's own name for the element.
    group.Class = xml.Class(Name=of.klass)
    group.leaf = xml.leaf(ID=f"LF.{of.name}", href=of.href)
    group.leaf.title = xml.title(_content=of.href)
    return group


def _item_ref(of: Table, item: Item, number: int, words: _Words) -> Any:
    given: dict[str, Any] = {}
    if item.name in of.keys:
        given["KeySequence"] = of.keys.index(item.name) + 1
    if item.method:
        given["MethodOID"] = words.method(item.method, f"{of.name}.{item.name}")
    if item.role:
        given["Role"] = item.role
    return xml.ItemRef(
        ItemOID=_oid(of, item), OrderNumber=number, Mandatory=_yes(item.is_mandatory), **given
    )


def _item_def(item: Item, oid: str, of: Table, words: _Words) -> Any:
    given: dict[str, Any] = _comment(item.comment, oid.removeprefix("IT."), words)
    for name, value in (
        ("Length", item.length),
        ("SignificantDigits", item.decimals),
        ("DisplayFormat", item.display_format or None),
    ):
        if value is not None:
            given[name] = value
    found = xml.ItemDef(
        OID=oid, Name=item.name, DataType=item.type, SASFieldName=item.name[:8], **given
    )
    found.Description = _said(item.label)
    if item.codelist is not None:
        found.CodeListRef = xml.CodeListRef(CodeListOID=f"CL.{item.codelist.key}")
    found.Origin = [_origin(one) for one in item.origins]
    if item.values:
        found.ValueListRef = xml.ValueListRef(ValueListOID=f"VL.{of.name}.{item.name}")
    return found


def _origin(of: Origin) -> Any:
    found = xml.Origin(Type=of.type, **({"Source": of.source} if of.source else {}))
    if of.text:
        found.Description = _said(of.text)
    return found


def _value_list(of: Table, item: Item, words: _Words) -> Any:
    found = xml.ValueListDef(OID=f"VL.{of.name}.{item.name}")
    for number, one in enumerate(item.values, 1):
        given = {}
        if one.item.method:
            key = f"{of.name}.{item.name}.{one.key}"
            given["MethodOID"] = words.method(one.item.method, key)
        ref = xml.ItemRef(
            ItemOID=_value_oid(of, item, one),
            OrderNumber=number,
            Mandatory=_yes(one.item.is_mandatory),
            **given,
        )
        ref.WhereClauseRef.append(xml.WhereClauseRef(WhereClauseOID=_condition_oid(of, one)))
        found.ItemRef.append(ref)
    return found


def _conditions(tables: Sequence[Table]) -> Iterator[tuple[str, Any]]:
    for table, _, value in _value_levels(tables):
        found = xml.WhereClauseDef(OID=_condition_oid(table, value))
        for variable, word in value.where:
            check = xml.RangeCheck(
                Comparator="EQ", SoftHard="Soft", ItemOID=f"IT.{table.name}.{variable}"
            )
            check.CheckValue.append(xml.CheckValue(_content=word))
            found.RangeCheck.append(check)
        yield _condition_oid(table, value), found


def _codelists(tables: Sequence[Table]) -> list[Codelist]:
    """Each list once, in the order of their keys."""
    found: dict[str, Codelist] = {}
    levels = (value.item for _, _, value in _value_levels(tables))
    for item in (*(one for _, one in _items(tables)), *levels):
        if item.codelist is None:
            continue
        same = found.setdefault(item.codelist.key, item.codelist)
        if same != item.codelist:
            raise ValueError(f"two lists are called {same.key}")
    return [found[key] for key in sorted(found)]


def _codelist(of: Codelist, words: _Words) -> Any:
    given: dict[str, Any] = _comment(of.comment, f"CL.{of.key}", words)
    if of.standard:
        given["StandardOID"] = f"STD.{of.standard}"
    elif not of.dictionary:
        given["IsNonStandard"] = "Yes"
    found = xml.CodeList(OID=f"CL.{of.key}", Name=of.name, DataType="text", **given)
    if of.dictionary:
        version = {"Version": of.dictionary_version} if of.dictionary_version else {}
        found.ExternalCodeList = xml.ExternalCodeList(Dictionary=of.dictionary, **version)
        return found
    is_decoded = any(one.decode for one in of.terms)
    for number, one in enumerate(of.terms, 1):
        if is_decoded:
            found.CodeListItem.append(_decoded(one, number))
        else:
            found.EnumeratedItem.append(_counted(xml.EnumeratedItem, one, number))
    if of.code:
        found.Alias = [xml.Alias(Context=NCI_CODES, Name=of.code)]
    return found


def _decoded(term: Term, number: int) -> Any:
    item = _counted(xml.CodeListItem, term, number)
    item.Decode = xml.Decode()
    item.Decode.TranslatedText.append(_text(term.decode or term.value))
    return item


def _counted(kind: Any, term: Term, number: int) -> Any:
    given = {"ExtendedValue": "Yes"} if term.is_extended else {}
    item = kind(CodedValue=term.value, OrderNumber=number, **given)
    if term.code:
        item.Alias = [xml.Alias(Context=NCI_CODES, Name=term.code)]
    return item


def _comment(words: str, key: str, known: _Words) -> dict[str, str]:
    return {"CommentOID": known.comment(words, key)} if words else {}


def _said(words: str) -> Any:
    found = xml.Description()
    found.TranslatedText.append(_text(words))
    return found


def _text(words: str) -> Any:
    return xml.TranslatedText(lang=LANGUAGE, _content=words)


def _items(tables: Sequence[Table]) -> Iterator[tuple[Table, Item]]:
    return ((table, item) for table in tables for item in table.items)


def _value_levels(tables: Sequence[Table]) -> Iterator[tuple[Table, Item, ValueLevel]]:
    return ((table, item, value) for table, item in _items(tables) for value in item.values)


def _oid(of: Table, item: Item) -> str:
    return f"IT.{of.name}.{item.name}"


def _value_oid(of: Table, item: Item, value: ValueLevel) -> str:
    return f"{_oid(of, item)}.{value.key}"


def _condition_oid(of: Table, value: ValueLevel) -> str:
    return f"WC.{of.name}.{value.key}"


def _yes(holds: bool) -> str:
    return "Yes" if holds else "No"
