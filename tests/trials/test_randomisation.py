"""Permuted blocks from a sealed seed: balanced, derivable again, and telling nothing ahead."""

from __future__ import annotations

import hashlib
from collections import Counter
from functools import partial

import pytest

from trials import protocol, randomisation
from trials.services import protocols

KEY = bytes(range(32))
TWO = [("AB", 1), ("BA", 1)]
UNEQUAL = [("A", 2), ("B", 1)]
SCHEME = {"sequences": [{"identifier": "AB"}, {"identifier": "BA"}], "strata": [{"by": "site"}]}


def mac(key: bytes, *parts: str) -> bytes:
    """HMAC as RFC 2104 defines it, from the hash alone."""
    text = "\n".join(parts).encode()
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(one ^ 0x36 for one in padded) + text).digest()
    return hashlib.sha256(bytes(one ^ 0x5C for one in padded) + inner).digest()


def derived_by_hand(key: bytes, trial: str, scheme: str, stratum: str, ratios, blocks: int):
    """The list of a stratum, block by block, as the description says and with nothing of ours."""
    seed = mac(key, "trialtrace randomisation 1", trial, scheme)
    for number in range(blocks):
        draw = partial(mac, seed, stratum, str(number))
        rounds = (2, 3)[int(draw("size").hex(), 16) % 2]
        places = [name for name, ratio in ratios for _ in range(ratio * rounds)]
        order = sorted(range(len(places)), key=lambda place, draw=draw: draw(str(place)))
        yield [places[place] for place in order]


@pytest.mark.parametrize("ratios", [TWO, UNEQUAL, [("A", 1), ("B", 1), ("C", 1)]])
def test_a_list_is_derived_again_by_whoever_holds_the_key(ratios):
    scheme = randomisation.scheme_digest(SCHEME)
    seed = randomisation.seed(KEY, trial="T", scheme=scheme)
    by_hand = [
        name
        for block in derived_by_hand(KEY, "T", scheme, "site=101", ratios, 40)
        for name in block
    ]
    ours = [
        randomisation.sequence_at(seed, stratum="site=101", position=place, ratios=ratios)
        for place in range(len(by_hand))
    ]
    assert ours == by_hand


def test_a_known_list_stays_what_it_is():
    # Fixed so that no release derives another list for patients who are allocated already.
    seed = randomisation.seed(KEY, trial="T", scheme="0" * 64)
    assert seed.hex() == mac(KEY, "trialtrace randomisation 1", "T", "0" * 64).hex()
    found = [
        randomisation.sequence_at(seed, stratum="site=101", position=place, ratios=TWO)
        for place in range(10)
    ]
    assert " ".join(found) == KNOWN


KNOWN = "AB AB BA BA BA BA AB AB AB BA"


@pytest.mark.parametrize("ratios", [TWO, UNEQUAL])
def test_every_block_is_balanced_exactly_and_no_shorter_than_two_rounds(ratios):
    lengths = Counter()
    for number in range(200):
        found = randomisation.block(KEY, stratum="s", number=number, ratios=ratios)
        counts = Counter(found)
        rounds = {counts[name] / ratio for name, ratio in ratios}
        assert rounds in ({2}, {3})
        lengths[len(found)] += 1
    # Both lengths occur, or the next end of a block could be told.
    assert len(lengths) == 2
    assert min(lengths.values()) > 60


def test_strata_trials_keys_and_schemes_have_lists_of_their_own():
    def listed(key=KEY, trial="T", scheme="x", stratum="s"):
        seed = randomisation.seed(key, trial=trial, scheme=scheme)
        return tuple(
            randomisation.sequence_at(seed, stratum=stratum, position=n, ratios=TWO)
            for n in range(64)
        )

    lists = [
        listed(),
        listed(key=b"other"),
        listed(trial="U"),
        listed(scheme="y"),
        listed(stratum="t"),
    ]
    assert len(set(lists)) == len(lists)


def test_words_of_the_file_do_not_change_the_list_but_sequences_and_strata_do():
    digest = randomisation.scheme_digest
    told = {
        **SCHEME,
        "cap": 10,
        "sequences": [{**one, "label": "x"} for one in SCHEME["sequences"]],
    }
    assert digest(told) == digest(SCHEME)
    assert digest({**SCHEME, "strata": []}) != digest(SCHEME)
    assert digest({**SCHEME, "sequences": SCHEME["sequences"][::-1]}) != digest(SCHEME)


def test_places_of_a_full_sequence_are_passed_over_and_the_list_stays():
    ratios, counts, given, start = [("AB", 1), ("BA", 1)], Counter(), [], 0
    caps = {"AB": 2}
    for _ in range(12):
        start = randomisation.next_position(
            KEY, stratum="101", start=start, ratios=ratios, full=randomisation.full(caps, counts)
        )
        given.append(randomisation.sequence_at(KEY, stratum="101", position=start, ratios=ratios))
        counts[given[-1]] += 1
        start += 1
    assert counts == {"AB": 2, "BA": 10}
    assert (
        randomisation.next_position(
            KEY, stratum="101", start=start, ratios=ratios, full={"AB", "BA"}
        )
        is None
    )
    sequences = [{**one, "cap": 2} for one in SCHEME["sequences"]]
    assert randomisation.scheme_digest({**SCHEME, "sequences": sequences}) == (
        randomisation.scheme_digest(SCHEME)
    )


DEMO = (protocols.SCHEMA.parent / "definitions" / "demo.yaml").read_text()
STATED = """
randomisation:
  masking: open
  cap: 40
  sequences:
    - {identifier: PF, label: "Pentixafor, then FDG", periods: [ptf, fdg]}
    - {identifier: FP, label: "FDG, then Pentixafor", periods: [fdg, ptf]}
  strata: [{by: site}, {by: evidence, variable: diagnosis.group, levels: [NHL, MM]}]
  gap: {minimum: PT24H, maximum: P14D}
  forbidden_between: {events: [therapy.anticancer]}
  source: [DEMO]
"""


def parsed(text: str):
    return protocol.parse(DEMO + text, schema=protocols._schema())


def test_a_randomisation_goes_to_a_file_and_back():
    found = parsed(STATED)
    again = protocol.parse(protocol.dump(found), schema=protocols._schema())
    assert protocol.digest(again) == protocol.digest(found)


@pytest.mark.parametrize(
    ("was", "made", "told"),
    [
        ("[fdg, ptf]", "[fdg, mri]", "['mri'] must be identifiers of planned_scans."),
        ("identifier: FP", "identifier: PF", "the sequence 'PF' stands twice."),
        ("diagnosis.group", "glucose", "'glucose' is no variable with choices."),
        ("[NHL, MM]", "[NHL, XX]", "['XX'] must be choices of diagnosis.group"),
        ("{by: site}", ", ".join(["{by: site}"] * 8), "may take 227 characters and at most 200"),
        ("PT24H", "a day", "'a day' is no duration such as PT24H or P14D."),
        ("therapy.anticancer", "glucose", "'glucose' is no list of events."),
    ],
)
def test_what_a_schema_can_not_see_is_refused_by_line(was, made, told):
    assert was in STATED
    with pytest.raises(protocol.ProtocolError) as refused:
        parsed(STATED.replace(was, made))
    assert told in str(refused.value)
    assert refused.value.problems[0].place.startswith("randomisation.")
