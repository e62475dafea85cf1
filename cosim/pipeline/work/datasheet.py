"""Corners, dies and limits of the cells -> datasheet/*, datasheet.html, datasheet.pdf."""

from __future__ import annotations

from cosim.errors import InputError
from cosim.pipeline.workspace import Workspace


def check(space: Workspace) -> None:
    """Every limit of the datasheet is on something that exists: `InputError` before anything is simulated for it."""
    from cosim.datasheet.make import check_limits

    try:
        check_limits(space.design)
    except InputError as error:
        raise InputError(f"{space.design_file}: {error}") from error


def work(space: Workspace) -> dict[str, float]:
    """Measure what [datasheet] asks for; the metrics are what each of its limits was judged on."""
    from cosim.datasheet.make import make_datasheet
    from cosim.pipeline.work.simulating import pool_of

    with pool_of(space) as pool:
        made = make_datasheet(
            space.design, space.design_file, space.run, pool, space.monitor, pdf=space.pdf, command=space.command
        )
    space.effort = made.effort
    worst = {one.verdict.name: one.verdict.value for one in made.judged}
    return {f"datasheet.{name}": value for name, value in worst.items() if value is not None}
