"""Files as users have them: each gives what the same thing gives when it is written plainly, or one clear line."""

from __future__ import annotations

import pytest

from benchmarks.truth.cases import Case, cases, wrong


@pytest.mark.parametrize("case", [case for case in cases() if not case.simulates], ids=lambda case: case.name)
def test_a_file_is_refused_or_read(case: Case) -> None:
    assert wrong(case) == ""


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in cases() if case.simulates], ids=lambda case: case.name)
def test_a_cell_gives_what_it_gives_when_written_plainly(case: Case) -> None:
    assert wrong(case) == ""
