"""What a stage records of the decks that it asked for."""

from __future__ import annotations

import hashlib

from cosim.runs.effort import Effort

DIGESTS = [hashlib.sha256(name.encode()).hexdigest() for name in ("a", "b", "c")]


def test_decks_are_the_same_in_any_order_and_in_any_parts() -> None:
    whole, parts, other = Effort(), Effort(), Effort()
    whole.count_decks(DIGESTS)
    part = Effort()
    part.count_decks(DIGESTS[2:])
    parts.count_decks(reversed(DIGESTS[:2]))
    parts += part
    other.count_decks([*DIGESTS[:2], DIGESTS[1]])
    wanted = sum(int(digest, 16) for digest in DIGESTS) % 2**256
    assert whole.record()["decks_sha256"] == parts.record()["decks_sha256"] == f"{wanted:064x}"
    assert other.record()["decks_sha256"] != whole.record()["decks_sha256"]
    assert "decks_sha256" not in Effort(points=3).record(), "of simulations that no deck was told of"
