"""How a command of the benchmarks ends: what a user can set right in one line, a bug with its traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.classifier_seeds import COLUMNS
from benchmarks.command import check_has, exit_code
from cosim.errors import InputError
from cosim.search.evaluation import TrialFailedError
from training.study.table import GrowingTable


def test_what_a_user_can_set_right_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "seeds.csv").write_text("others,columns\n1,2\n")

    def failed() -> None:
        raise TrialFailedError("no operating point")

    def damaged() -> None:
        GrowingTable(tmp_path / "seeds.csv", COLUMNS).rows()

    def missing() -> None:
        (tmp_path / "nowhere").read_text()

    assert [exit_code(work) for work in (failed, damaged, missing, lambda: None)] == [3, 2, 2, 0]
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "no operating point" and len(lines) == 3
    assert lines[1].startswith(f"{tmp_path / 'seeds.csv'}: has other columns than design, recipe")
    assert lines[2] == f"{tmp_path / 'nowhere'}: No such file or directory"


def test_a_run_directory_without_a_file_is_told_with_the_command_that_makes_it(tmp_path: Path) -> None:
    (tmp_path / "design.toml").touch()
    check_has(tmp_path, "design.toml", made_by="cosim train DESIGN")
    with pytest.raises(InputError, match=r"has no hardware\.json; make one with: cosim train DESIGN"):
        check_has(tmp_path, "design.toml", "hardware.json", made_by="cosim train DESIGN")


def test_an_interrupt_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    assert exit_code(interrupted) == 130
    assert capsys.readouterr().err == "\ninterrupted; the same command goes on from here\n"


def test_a_bug_stays_one() -> None:
    with pytest.raises(ZeroDivisionError):
        exit_code(lambda: print(1 // 0))
