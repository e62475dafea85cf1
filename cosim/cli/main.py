"""The command line. Everything heavy is imported by the command that needs it, so that `cosim --help` answers at once."""

from __future__ import annotations

import contextlib
import json
import logging
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cosim.errors import CosimError, InputError
from cosim.version import __version__

if TYPE_CHECKING:
    from cosim.pipeline.run import RunResult
    from cosim.runs.progress import Monitor

INTERRUPTED = 130

app = typer.Typer(
    name="cosim",
    help="Co-design of analog in-memory computing around SPICE: from transistors to a trained network and back.\n\n"
    "Exit codes: 0 done, 1 a limit of the design failed, 2 bad input, 3 a simulation failed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)

DesignFile = Annotated[Path, typer.Argument(metavar="DESIGN", help="Design file (TOML), e.g. designs/iris_5_5_5.toml.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Run directory; runs/NAME OF THE DESIGN unless given.")]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="Simulator processes; one per processor unless given.")]
Scheduler = Annotated[str, typer.Option("--scheduler", metavar="ADDRESS", help="Dask scheduler to send simulations to.")]
Samples = Annotated[int | None, typer.Option("--samples", help="Test samples to simulate, instead of validation.samples.")]
Dies = Annotated[int | None, typer.Option("--dies", help="Mismatch dies to simulate, instead of validation.mismatch_dies.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else to standard output.")]
Study = Annotated[Path | None, typer.Option("--study", metavar="STUDY", help="Train the grid of a study (TOML) instead.")]
DataFolder = Annotated[Path | None, typer.Option("--data", metavar="FOLDER", help="Official files of the study's data set.")]
Device = Annotated[str, typer.Option("--device", help="cpu or cuda, for a study.")]
Weights = Annotated[Path | None, typer.Option("--weights", metavar="FILE", help="Take these weights (safetensors), train none.")]
Hardware = Annotated[
    Path | None, typer.Option("--hardware", metavar="FILE", help="Take this hardware.json (cosim fit), characterize nothing.")
]
Pdf = Annotated[bool, typer.Option("--pdf/--no-pdf", help="Also write report.pdf.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Where there is no terminal: a log line every few seconds.")]


def main() -> None:
    """Entry point of the `cosim` command."""
    app(prog_name="cosim")


@contextlib.contextmanager
def _clear_errors(resume: str = "") -> Iterator[None]:
    """An error that the user can set right is one line on standard error and its exit code; anything else is a bug."""
    try:
        yield
    except CosimError as error:
        typer.echo(f"cosim: {error}", err=True)
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt:
        typer.echo(f"\ncosim: interrupted{resume}", err=True)
        raise typer.Exit(INTERRUPTED) from None


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        typer.echo(f"cosim {__version__}")
        raise typer.Exit


@app.command()
def run(
    design: DesignFile,
    out: Out = None,
    jobs: Jobs = None,
    scheduler: Scheduler = "",
    samples: Samples = None,
    dies: Dies = None,
    as_json: AsJson = False,
    pdf: Pdf = True,
    verbose: Verbose = False,
) -> None:
    """All stages: characterize, train, map, validate, report. Resumes where it stopped; does nothing twice.

    Example: cosim run designs/iris_5_5_5.toml --samples 10 --out runs/short
    """
    _run_until("report", design, out, jobs, scheduler, samples, dies, as_json, pdf, verbose)


@app.command()
def characterize(
    design: DesignFile,
    out: Out = None,
    jobs: Jobs = None,
    scheduler: Scheduler = "",
    samples: Samples = None,
    dies: Dies = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Sweep the cells of a design and extract its hardware model; then the datasheet that [datasheet] asks for.

    Example: cosim characterize designs/iris_5_5_5.toml --jobs 2
    """
    _run_until("characterize", design, out, jobs, scheduler, samples, dies, as_json, True, verbose)


@app.command()
def train(
    design: Annotated[Path | None, typer.Argument(metavar="DESIGN", help="Design file (TOML), or none with --study.")] = None,
    out: Out = None,
    jobs: Jobs = None,
    scheduler: Scheduler = "",
    samples: Samples = None,
    dies: Dies = None,
    hardware: Hardware = None,
    study: Study = None,
    data: DataFolder = None,
    device: Device = "cpu",
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Train both networks on the hardware model (and characterize first where needed), or every network of a study.

    Example: cosim train designs/iris_5_5_5.toml --json

    Example: cosim train designs/iris_5_5_5.toml --hardware silicon/hardware.json --out runs/silicon

    Example: cosim train --study designs/studies/digits.toml
    """
    with _clear_errors():
        if (design is None) == (study is None):
            raise InputError("command line: give either a DESIGN or --study STUDY")
        if study is not None and hardware is not None:
            raise InputError("--hardware: a study lists its hardware itself; give it with a DESIGN")
    if study is not None:
        _run_study(study, out, data, device, as_json, verbose)
    elif design is not None:
        _run_until("train", design, out, jobs, scheduler, samples, dies, as_json, True, verbose, hardware=hardware)


@app.command(name="map")
def map_weights(
    design: DesignFile,
    out: Out = None,
    jobs: Jobs = None,
    scheduler: Scheduler = "",
    samples: Samples = None,
    dies: Dies = None,
    weights: Weights = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Turn the trained weights, or weights from elsewhere, into gate biases (and do what comes before where needed).

    Example: cosim map designs/iris_5_5_5.toml

    Example: cosim map designs/iris_5_5_5.toml --weights mine.safetensors --out runs/mine
    """
    _run_until("map", design, out, jobs, scheduler, samples, dies, as_json, True, verbose, weights)


@app.command()
def validate(
    design: DesignFile,
    out: Out = None,
    jobs: Jobs = None,
    scheduler: Scheduler = "",
    samples: Samples = None,
    dies: Dies = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Simulate the mapped network transistor by transistor beside its model (and do what comes before where needed).

    Example: cosim validate designs/iris_5_5_5.toml --samples 10 --dies 0
    """
    _run_until("validate", design, out, jobs, scheduler, samples, dies, as_json, True, verbose)


@app.command()
def report(
    design: DesignFile,
    out: Out = None,
    jobs: Jobs = None,
    scheduler: Scheduler = "",
    samples: Samples = None,
    dies: Dies = None,
    as_json: AsJson = False,
    pdf: Pdf = True,
    verbose: Verbose = False,
) -> None:
    """Write report.html and report.pdf (and do what comes before where needed).

    Example: cosim report designs/iris_5_5_5.toml --no-pdf
    """
    _run_until("report", design, out, jobs, scheduler, samples, dies, as_json, pdf, verbose)


@app.command()
def sweep(
    design: DesignFile,
    measure: Annotated[list[str] | None, typer.Option("--measure", metavar="NAME", help="Measurement; may be repeated.")] = None,
    corners: Annotated[str, typer.Option("--corners", metavar="tt,ss", help="Corners.")] = "",
    temperatures: Annotated[str, typer.Option("--temperatures", metavar="-40,27,125", help="Temperatures in Celsius.")] = "",
    supplies: Annotated[str, typer.Option("--supplies", metavar="1.62,1.8", help="Supply voltages in V.")] = "",
    seeds: Annotated[str, typer.Option("--seeds", metavar="0:200", help="Monte Carlo dies, the end not included.")] = "",
    parameter: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=V1,V2", help="Values of a field of the design; may be repeated.")
    ] = None,
    only: Annotated[str, typer.Option("--only", metavar="CONDITION", help="One condition, such as corner=ss,seed=17.")] = "",
    plain: Annotated[bool, typer.Option("--plain", help="Load every deck as it is: slow, to compare with.")] = False,
    check_accuracy: Annotated[
        int, typer.Option("--check-accuracy", metavar="N", min=0, help="Repeat N points of each at a tenth of the reltol.")
    ] = 0,
    scheduler: Scheduler = "",
    out: Out = None,
    jobs: Jobs = None,
    as_json: Annotated[bool, typer.Option("--json", help="Events and the result as JSON lines on standard output.")] = False,
    verbose: Verbose = False,
) -> None:
    """Measure cells over corners, temperatures, supplies, any parameter of the design, and Monte Carlo dies.

    Resumes where it stopped. What is not given comes from the design's [sweep].

    Example: cosim sweep designs/iris_5_5_5.toml --corners tt,ss,ff --temperatures -40,27,125 --seeds 0:200
    """
    with _clear_errors("; the same command goes on from here"):
        from cosim.pipeline.packages import one_line_errors

        with one_line_errors():
            from cosim.runs.progress import JsonMonitor
            from cosim.sweep.command import SweepRequest, run_command

            request = SweepRequest(
                design, tuple(measure or ()), corners, temperatures, supplies, seeds, tuple(parameter or ()), only, plain,
                check_accuracy, scheduler, out, jobs, _command(),
            )  # fmt: skip
            result = run_command(request, JsonMonitor(typer.echo) if as_json else _monitor(verbose))
    if as_json:
        typer.echo(json.dumps({"event": "result", **result.summary()}))
    else:
        for line in result.lines():
            typer.echo(line)
    raise typer.Exit(3 if len(result.failures) else 0)


@app.command()
def fit(
    measured: Annotated[list[Path], typer.Argument(metavar="CSV...", help="Measured I-V tables and membrane waveforms.")],
    design: Annotated[Path, typer.Option("--design", metavar="DESIGN", help="Design file (TOML) that was built.")],
    hardware: Annotated[
        Path | None,
        typer.Option("--hardware", metavar="FILE", help="Simulated hardware.json; that of the design's run unless given."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder of the result; silicon/ of the design's run unless given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fit measured waveforms and I-V curves: parameters with errors, and a hardware model of your own silicon.

    A file that cannot be used is one line and exit code 2; the others are fitted all the same (docs/silicon.md).

    Example: cosim fit bench/iv.csv bench/pattern_*.csv --design designs/iris_5_5_5.toml
    """
    with _clear_errors():
        from cosim.pipeline.packages import one_line_errors

        with one_line_errors():
            from cosim.silicon.command import run_fit

            result = run_fit(measured, design, hardware, out)
    for line in result.refused:
        typer.echo(f"cosim: {line}", err=True)
    if as_json:
        typer.echo(json.dumps(result.as_dict(), indent=1))
    else:
        for line in result.lines():
            typer.echo(line)
    raise typer.Exit(InputError.exit_code if result.refused else 0)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what is installed, what is missing, and how to get it.

    Example: cosim doctor
    """
    from cosim.cli.doctor import examine

    findings = examine()
    if as_json:
        typer.echo(json.dumps([finding.as_dict() for finding in findings], indent=1))
    else:
        for finding in findings:
            typer.echo(finding.line())
    raise typer.Exit(0 if all(finding.fine for finding in findings) else InputError.exit_code)


@app.command()
def cells(as_json: AsJson = False) -> None:
    """List the cells, corners and model sets that a design can use.

    Example: cosim cells
    """
    from cosim.cli.cells import catalogue

    found = catalogue()
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    for kind, entries in found.items():
        typer.echo(f"{kind}")
        for name, what in entries.items():
            typer.echo(f"  {name:<22} {what}")


@app.command()
def diff(
    run_a: Annotated[Path, typer.Argument(metavar="RUN_A", help="The run directory to compare with.")],
    run_b: Annotated[Path, typer.Argument(metavar="RUN_B", help="The run directory that may have got worse.")],
    as_json: AsJson = False,
) -> None:
    """Compare two runs: metrics, hardware parameters, limits. Exit code 1 if RUN_B fails a limit that RUN_A passes.

    Example: cosim diff runs/before runs/after
    """
    from cosim.runs.diff import compare

    with _clear_errors():
        comparison = compare(run_a, run_b)
    typer.echo(json.dumps(comparison.as_dict(), indent=1) if as_json else "\n".join(comparison.lines()))
    raise typer.Exit(1 if comparison.regressions else 0)


def _run_until(
    until: str,
    design: Path,
    out: Path | None,
    jobs: int | None,
    scheduler: str,
    samples: int | None,
    dies: int | None,
    as_json: bool,
    pdf: bool,
    verbose: bool,
    weights: Path | None = None,
    hardware: Path | None = None,
) -> None:
    resume = "; the same command goes on from here"
    with _clear_errors(resume):
        from cosim.pipeline.run import run as run_pipeline

        result = run_pipeline(
            design,
            out,
            until=until,
            jobs=jobs,
            scheduler=scheduler,
            samples=samples,
            dies=dies,
            pdf=pdf,
            weights=weights,
            hardware=hardware,
            monitor=_monitor(verbose),
            command=_command(),
        )
    if as_json:
        typer.echo(json.dumps(result.metrics, indent=1))
    else:
        _say(result)
    raise typer.Exit(result.exit_code)


def _run_study(study: Path, out: Path | None, data: Path | None, device: str, as_json: bool, verbose: bool) -> None:
    with _clear_errors("; the same command goes on from here"):
        from cosim.pipeline.packages import one_line_errors

        with one_line_errors():
            from cosim.networks.study import lines, run_study

            folder, rows = run_study(study, out, data, device, _monitor(verbose))
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    for line in lines(rows):
        typer.echo(line)
    typer.echo(f"table and pictures: {folder}")


def _monitor(verbose: bool) -> Monitor:
    from cosim.runs.progress import LogMonitor, Monitor, TerminalMonitor

    if sys.stderr.isatty():
        return TerminalMonitor()
    if not verbose:
        return Monitor()
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    # Only our own lines: the libraries that typeset the report log every page.
    log = logging.getLogger("cosim")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    return LogMonitor()


def _command() -> str:
    """The command line for provenance, without the folders of this machine."""
    return shlex.join(["cosim", *(Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:])])


HEADLINE = (
    ("output spike-time error, ODE-aware", "validation.ode.output_spike_rmse_s", 1e9, "ns"),
    ("output spike-time error, conventional", "validation.conventional.output_spike_rmse_s", 1e9, "ns"),
    ("conventional / ODE-aware", "validation.error_ratio", 1.0, ""),
    ("numerical error of the validation", "validation.numerical_error_s", 1e9, "ns"),
    ("test accuracy, model", "training.test_accuracy", 100.0, "%"),
    ("test accuracy, circuit", "circuit.test_accuracy", 100.0, "%"),
    ("time, all stages", "time.total_s", 1.0, "s"),
    ("time, simulations", "time.simulate_s", 1.0, "s"),
)


def _say(result: RunResult) -> None:
    """The result in a few lines."""
    for what, name, scale, unit in HEADLINE:
        if name in result.metrics:
            typer.echo(f"{what:<40} {result.metrics[name] * scale:8.4g} {unit}".rstrip())
    if cached := int(result.metrics.get("simulation.cached_points", 0)):
        points = int(result.metrics["simulation.points"])
        typer.echo(f"{cached} of {points} simulated points were known from before; the times do not hold them")
    for verdict in result.verdicts:
        if not verdict.passed:
            allowed = f"{_number(verdict.min)} .. {_number(verdict.max)}"
            typer.echo(f"limit failed: {verdict.name} = {_number(verdict.value)}, allowed {allowed}")
    if result.verdicts:
        typer.echo(f"{'limits passed':<40} {sum(v.passed for v in result.verdicts)} of {len(result.verdicts)}")
    if result.failed_points:
        typer.echo(f"{result.failed_points} simulations failed; see the failures tables, and run again to retry them")
    pages = [name for name in ("report", "datasheet") if (result.directory / f"{name}.html").exists()]
    for name in pages:
        typer.echo(f"{name:<40} {result.directory / name}.html")
    if not pages:
        typer.echo(f"{'run directory':<40} {result.directory}")


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}"


if __name__ == "__main__":
    main()
