"""What becomes of a form that was filled in when it moves to a newer version of the protocol.

A value is carried where the item asks the same, under its new name where the newer form says what
it was called (`was`), and in its new unit where it says by what to multiply (`conversion`). The one
mistake to fear is a value that changes its meaning on the way: another type or unit without a
declared conversion keeps the whole entry where it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from trials import item_values
from trials.case_report_forms import CHOICES, NUMBERS, Form, Item
from trials.item_values import Entered

CARRIED, RENAMED, CONVERTED = "carried", "renamed", "converted"
ADDED, DROPPED, CODE_GONE, REFUSED = "added", "dropped", "code_gone", "refused"
COMPUTED = "computed"
WORDS = {
    CARRIED: "carried over",
    RENAMED: "renamed",
    CONVERTED: "converted",
    ADDED: "new, not answered",
    DROPPED: "asked no more",
    CODE_GONE: "answer no longer allowed",
    REFUSED: "can't be carried over",
    COMPUTED: "computed anew",
}


@dataclass(frozen=True, slots=True)
class Move:
    """What becomes of one item: its name before and after, and the value that stands then.

    An item that is new has no name before, one that is asked no more none after.
    """

    kind: str
    before: str
    after: str
    label: str
    sentence: str
    value: Entered | None = None

    @property
    def word(self) -> str:
        """What becomes of it, in a word."""
        return WORDS[self.kind]

    @property
    def needs_renewal(self) -> bool:
        """Whether what was verified or signed is not what stands after."""
        is_other = self.kind in (RENAMED, CONVERTED, DROPPED, COMPUTED)
        return is_other or bool(self.before and self.after and self.before != self.after)


def moves(before: Form, after: Form, values: Mapping[str, Entered]) -> list[Move]:
    """What becomes of each value entered under `before`, and of what `after` asks besides.

    >>> weight = Item("weight", "Weight", "decimal", unit="kg")
    >>> named = replace(weight, identifier="weight_kg", was="weight")
    >>> old, new = Form("f", "F", (weight,)), Form("f", "F", (named,))
    >>> [one.kind for one in moves(old, new, {"weight": Entered(70.0)})]
    ['renamed']
    """
    computed = {one.identifier for form in (before, after) for one in form.items if one.computed}
    entered = {name: value for name, value in values.items() if name not in computed}
    found = [_of_value(before, after, name, value) for name, value in entered.items()]
    stands = {one.after: one.value for one in found if one.after and one.value}
    found += _computed(before, after, values, item_values.with_computed(after, stands))
    answered = {one.after for one in found if one.after}
    return [
        *found,
        *(
            Move(ADDED, "", item.identifier, item.label, f"{item.label} is new.")
            for item in after.items
            if item.identifier not in answered and not _stood(before, item)
        ),
    ]


def _computed(
    before: Form, after: Form, values: Mapping[str, Entered], found: Mapping[str, Entered]
) -> list[Move]:
    """What becomes of what follows from other items: it is computed anew from what was carried."""
    moves = []
    for item in after.items:
        name = item.identifier
        if item.computed is None or (name not in found and name not in values):
            continue
        old = before.item(name)
        if name in values and (old is None or old.computed is None):
            said = f"{item.label} was entered and becomes computed: the entry stays."
            moves.append(Move(REFUSED, name, name, item.label, said))
            continue
        stood, value = values.get(name), found.get(name, Entered())
        kind, said = COMPUTED, f"{item.label} is computed anew from what stands."
        if stood == value:
            kind, said = CARRIED, f"{item.label} stands."
        moves.append(Move(kind, name if stood else "", name, item.label, said, value))
    left = {one.before for one in moves}
    for item in before.items:
        if item.computed and item.identifier in values and item.identifier not in left:
            moves.append(_of_value(before, after, item.identifier, values[item.identifier]))
    return moves


def is_refused(found: list[Move]) -> bool:
    """Whether the entry stays where it is."""
    return any(one.kind == REFUSED for one in found)


def _stood(before: Form, item: Item) -> bool:
    """Whether an item was asked before, under this name or that which it says."""
    return before.item(item.was or item.identifier) is not None


def _of_value(before: Form, after: Form, name: str, value: Entered) -> Move:
    old = before.item(name)
    label = old.label if old else name
    new = next((one for one in after.items if one.was == name), None) or after.item(name)
    if new is not None and new.was and new.was != name:
        # The name is that of another item now.
        new = None
    if old is None or new is None:
        said = f"{label} is asked no more: it stays readable under the version that asked it."
        return Move(DROPPED, name, "", label, said)
    if new.identifier != name and before.item(new.identifier):
        said = f"{label} takes the name of another item of the earlier version: the entry stays."
        return Move(REFUSED, name, new.identifier, label, said)
    if old.type != new.type or (old.unit != new.unit and not _converts(old, new)):
        said = (
            f"{label} was {_kind(old)} and becomes {_kind(new)}, and no conversion is declared: "
            "the entry stays under its version."
        )
        return Move(REFUSED, name, new.identifier, label, said)
    if other := _other_words(old, new, value):
        said = f"{label}: {other}, which is another answer: the entry stays under its version."
        return Move(REFUSED, name, new.identifier, label, said)
    move = Move(CARRIED, name, new.identifier, new.label, f"{new.label} stands.", value)
    if old.unit != new.unit and value.value is not None:
        move = _converted(move, new, value)
    if gone := _gone(new, value):
        said = f"{new.label} can't be answered with {', '.join(gone)} any more: it is asked about."
        return replace(move, kind=CODE_GONE, sentence=said)
    if move.value and (beyond := item_values.beyond(new, move.value)):
        said = f"{new.label}: {beyond}: the entry stays under its version."
        return replace(move, kind=REFUSED, sentence=said)
    if new.identifier != name and move.kind == CARRIED:
        return replace(move, kind=RENAMED, sentence=f"{label} is {new.identifier} now.")
    return move


def _other_words(old: Item, new: Item, value: Entered) -> str:
    """Where a code that was chosen has other words now, what it says before and after."""
    if old.type not in CHOICES or value.value is None:
        return ""
    before, after = dict(old.codes), dict(new.codes)
    chosen = value.value if isinstance(value.value, list) else [value.value]
    return ", ".join(
        f"code {one} was “{before[one]}” and is “{after[one]}”"
        for one in chosen
        if one in before and one in after and before[one] != after[one]
    )


def _converts(old: Item, new: Item) -> bool:
    return new.conversion is not None and new.conversion[0] == old.unit and new.type == "decimal"


def _converted(move: Move, new: Item, value: Entered) -> Move:
    if new.conversion is None:
        return move
    number = value.value * new.conversion[1]
    said = f"{new.label}: {value.value:g} {new.conversion[0]} is {number:g} {new.unit}."
    return replace(move, kind=CONVERTED, sentence=said, value=replace(value, value=number))


def _gone(new: Item, value: Entered) -> list[str]:
    """The answers, or the code of a missing one, that the newer form has no more."""
    if value.missing:
        return [value.missing] if value.missing not in new.missing else []
    if new.type not in CHOICES or value.value is None:
        return []
    chosen = value.value if isinstance(value.value, list) else [value.value]
    return [one for one in chosen if one not in dict(new.codes)]


def _kind(item: Item) -> str:
    words = item.type.replace("_", " ")
    return f"{words} in {item.unit}" if item.type in NUMBERS and item.unit else words
