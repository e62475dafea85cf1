"""`cosim prune`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosim.cli.errors import clear_errors
from cosim.cli.options import AsJson, path_option, takes
from cosim.cli.say import command_line, say
from cosim.errors import InputError
from cosim.version import __version__

if TYPE_CHECKING:
    from netlists.models.pdk import Pdk
    from netlists.models.uses import DeviceUse
    from netlists.process import Process


@dataclass(frozen=True)
class PruneOptions:
    library: Annotated[
        str, typer.Argument(metavar="LIB", help="Model library (.lib file), or a process (sky130): its installed one.")
    ]
    corner: Annotated[str, typer.Option("--corner", metavar="tt[,ss]", help="Sections of the library.")] = "tt"
    devices: Annotated[
        list[str] | None,
        typer.Option("--devices", metavar="NAME:W/L,...", help="Devices, of a finger's size in um; may be repeated."),
    ] = None
    netlist: Annotated[
        list[Path] | None,
        path_option("--netlist", metavar="FILE", help="The devices of a netlist (xschem, Magic, ngspice); may be repeated."),
    ] = None
    mismatch: Annotated[bool, typer.Option("--mismatch", help="Each device draws its own deviation.")] = False
    process: Annotated[str, typer.Option("--process", metavar="NAME", help="Whose devices; told by the file's name.")] = ""
    model_set: Annotated[str, typer.Option("--model-set", metavar="NAME", help="Of a process: continuous, binned.")] = ""
    out: Annotated[
        Path | None, path_option("--out", metavar="FILE", help="What to write; PROCESS_CORNER.lib.spice unless given.")
    ] = None
    as_json: AsJson = False


@takes(PruneOptions)
def prune(options: PruneOptions) -> None:
    """Write a model library of a few devices, which any ngspice or xschem loads at once: the same currents.

    Example: cosim prune sky130 --corner tt --devices nfet_01v8:1/0.15,pfet_01v8:2/0.15

    Example: cosim prune $PDK_ROOT/sky130A/libs.tech/ngspice/sky130.lib.spice --netlist inverter.spice --out small.lib.spice
    """
    with clear_errors():
        from rich.console import Console

        from netlists.models.standalone import library_text

        process, pdk = _library(options)
        sections = _listed("--corner", [options.corner])
        out = options.out or Path(f"{options.process or _named(process)}_{'_'.join(sections)}.lib.spice")
        uses = _devices(options, process, (pdk.library, out))
        _check_out(out, [pdk.library, *(options.netlist or ())])
        with Console(stderr=True).status(f"reading {pdk.library.name}"):
            maker = f"cosim {__version__}, {command_line()}"
            text = library_text(pdk, sections, uses, process.setup, maker, options.mismatch)
        _write(out, text)
    told = {"file": str(out), "bytes": len(text), "sections": sections, "devices": sorted({use.subckt for use in uses})}
    lines = [
        f"{out}: {len(text) / 1e3:.0f} kB, {len(uses)} {'device' if len(uses) == 1 else 'devices'}",
        f'call it by   .lib "{out.resolve()}" {sections[0]}',
        f"which wants  {'; '.join(process.setup)}   (.spiceinit)" if process.setup else "",
    ]
    say(options.as_json, told, filter(None, lines))


def _library(options: PruneOptions) -> tuple[Process, Pdk]:
    """The process and its models. Raises `InputError`."""
    from cosim.design.choices import CHOICES

    processes = CHOICES["process"].registry
    given = options.process or (options.library if options.library in processes else "")
    file = Path(options.library)
    guessed = next((key for key, one in processes.items() if file.name in one.libraries), CHOICES["process"].default)
    key = given or guessed
    if key not in processes:
        raise InputError(f"--process: no process {key!r}; there is {', '.join(sorted(processes))}")
    process = processes[key]
    model_set = options.model_set or next(iter(process.model_sets))
    if model_set not in process.model_sets:
        raise InputError(f"--model-set: {key} has no {model_set!r}; it has {', '.join(process.model_sets)}")
    if options.library in processes:
        return process, process.find_pdk(model_set)
    if not file.is_file():
        raise InputError(f"{file}: is no file; give a model library (.lib) or a process: {', '.join(sorted(processes))}")
    return process, process.models_in(file)


def _named(process: Process) -> str:
    return str(process.section.model_fields["name"].default)


def _devices(options: PruneOptions, process: Process, libraries: tuple[Path, ...]) -> set[DeviceUse]:
    from netlists.models.standalone import named_device, netlist_devices

    named = _listed("--devices", options.devices or ())
    uses = {named_device(one, process.names) for one in named}
    for netlist in options.netlist or ():
        uses |= netlist_devices(netlist, libraries, process)
    if not uses:
        raise InputError("prune: no devices; give --devices nfet_01v8:1/0.15,... or --netlist FILE")
    return uses


def _listed(option: str, texts: list[str] | tuple[str, ...]) -> list[str]:
    words = [word.strip() for text in texts for word in text.split(",")]
    if not all(words):
        raise InputError(f"{option}: a name is empty; give names with commas between them")
    return words


def _check_out(out: Path, read: list[Path]) -> None:
    """What is read is not written over."""
    if any(out.exists() and out.samefile(one) for one in read if one.exists()):
        raise InputError(f"--out: {out} is what is read; give another file")


def _write(out: Path, text: str) -> None:
    from training.files import why, write_whole

    try:
        write_whole(out, text.encode())
    except OSError as error:
        raise InputError(f"--out: {out} cannot be written: {why(error)}; give a file in a folder of yours") from error
