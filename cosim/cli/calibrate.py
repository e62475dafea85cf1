"""`cosim calibrate`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cosim.cli.errors import GOES_ON, clear_errors
from cosim.cli.options import AsJson, DesignFile, Jobs, Out, Scheduler, Verbose, path_option, takes
from cosim.cli.say import command_line, monitor, say

if TYPE_CHECKING:
    from cosim.pipeline.calibrate import CalibrationResult


@dataclass(frozen=True)
class CalibrateOptions:
    design: DesignFile
    dies: Annotated[str, typer.Option("--dies", metavar="1..24", help="Mismatch dies in ngspice, by their seeds.")] = ""
    plan: Annotated[
        Path | None, path_option("--plan", metavar="CSV", help="A chip on a bench: what to apply is written here.")
    ] = None
    observed: Annotated[Path | None, path_option("--observed", metavar="CSV", help="What the bench saw of the plan.")] = None
    at: Annotated[
        str,
        typer.Option("--at", metavar="CONDITION", help="Then set the dies for it, such as temperature_c=60, not measured there."),
    ] = ""
    biases: Annotated[
        str,
        typer.Option("--biases", metavar="HOW", help="With --at: calibrated (characterised there), or replica (by the board)."),
    ] = ""
    network: Annotated[
        str,
        typer.Option("--network", metavar="NAME", help="What the dies shall be: ode, or conventional as it was mapped."),
    ] = "ode"
    patterns: Annotated[
        str, typer.Option("--patterns", metavar="10+6", help="Test patterns of each round, instead of calibration.patterns.")
    ] = ""
    jitter: Annotated[
        float | None, typer.Option("--jitter", metavar="S", help="Noise of the spikes, instead of calibration.jitter_s.")
    ] = None
    step: Annotated[
        float | None, typer.Option("--step", metavar="V", help="Steps of codes and biases, instead of calibration.code_step_v.")
    ] = None
    codes_alone: Annotated[
        bool, typer.Option("--codes-alone", help="Set codes alone, though every discharger has a bias of its own.")
    ] = False
    loop_steps: Annotated[
        int | None,
        typer.Option("--loop-steps", metavar="N", help="Then fine-tune, chip in the loop, instead of calibration.loop_steps."),
    ] = None
    unidentified: Annotated[
        bool,
        typer.Option("--unidentified", help="With --loop-steps: by the nominal network's model, unmeasured."),
    ] = False
    process_draws: Annotated[
        bool, typer.Option("--process-draws", help="Dies that differ in their process too, not in mismatch alone.")
    ] = False
    out: Out = None
    jobs: Jobs = None
    scheduler: Scheduler = ""
    as_json: AsJson = False
    verbose: Verbose = False


@takes(CalibrateOptions)
def calibrate(options: CalibrateOptions) -> None:
    """Measure dies by their spikes and program them anew, until they do what the nominal network does.

    Dies are mismatch dies in ngspice, or a chip on a bench: --plan writes the patterns to apply, --observed reads what was seen,
    and the same command again goes on (docs/calibration.md). What may be set follows from neuron.own_discharger_bias, how it is
    measured from [calibration] of the design.

    Example: cosim calibrate designs/iris_5_5_5.toml --dies 1..24

    Example: cosim calibrate designs/iris_5_5_5.toml --dies 7 --at temperature_c=60

    Example: cosim calibrate designs/iris_5_5_5.toml --dies 1..4 --patterns 12+8 --jitter 5e-9

    Example: cosim calibrate designs/iris_5_5_5.toml --dies 1 --loop-steps 4

    Example: cosim calibrate designs/iris_5_5_5.toml --plan plan.csv --observed spikes.csv
    """
    with clear_errors(GOES_ON):
        from cosim.pipeline.calibrate import Asked, calibrate_design, dies_of
        from cosim.pipeline.calibrate_bench import calibrate_on_bench, check_words

        check_words(options.dies, options.plan, options.observed, options.at or options.biases)
        how: dict[str, Any] = {
            "asked": Asked(
                options.patterns, options.jitter, options.step, options.codes_alone, options.loop_steps, options.unidentified,
                options.process_draws,
            ),
            "out": options.out, "jobs": options.jobs, "scheduler": options.scheduler, "command": command_line(),
            "monitor": monitor(options.verbose),
        }  # fmt: skip
        if options.plan is not None:
            told = calibrate_on_bench(options.design, options.plan, options.observed, **how)
            say(options.as_json, told.as_dict(), told.lines())
            raise typer.Exit(0)
        how |= {"at": options.at, "biases": options.biases, "network": options.network}
        result = calibrate_design(options.design, dies_of(options.dies), **how)
    say(options.as_json, result.figures, _lines(result))
    raise typer.Exit(result.exit_code)


def _lines(result: CalibrationResult) -> Iterator[str]:
    """A row a die, and what that is over all."""
    yield f"{result.condition}; output rms off the nominal network, and labels as it has them"
    yield f"{'die':>5} {'before':>10} {'':>6} {'after':>10} {'':>6}"
    for row in result.rows.itertuples():
        before, after = f"{row.before_rmse_s * 1e9:.4g} ns", f"{row.after_rmse_s * 1e9:.3g} ns"
        yield f"{row.die:>5} {before:>10} {100 * row.before_labels:>4.0f} % {after:>10} {100 * row.after_labels:>4.0f} %"
    figures = result.figures
    if figures:
        before, after = (f"{figures[f'dies.{when}_rmse_s'] * 1e9:.3g} ns" for when in ("before", "after"))
        labels = [100 * figures[f"dies.{when}_labels"] for when in ("before", "after")]
        yield f"{'all':>5} {before:>10} {labels[0]:>4.0f} % {after:>10} {labels[1]:>4.0f} %"
    if "dies.yield" in figures:
        low, high = 100 * figures["dies.yield_low"], 100 * figures["dies.yield_high"]
        yield (
            f"{100 * figures['dies.yield']:.3g} % of the dies are within {figures['dies.limit_s'] * 1e9:g} ns "
            f"(95 %: {low:.3g} to {high:.3g} %)"
        )
    yield from result.failed
    yield f"{'tables':<40} {result.directory / 'calibration'}"
