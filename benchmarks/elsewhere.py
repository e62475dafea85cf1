"""Rows of the accuracy benchmark on a machine with nothing but Python and torch: no network, small transfers, minutes at a time.

`pack` puts the data set and the wheels that such a machine lacks into parts small enough to be carried there. `train` unpacks
them there into a temporary folder, holds the GPU's kernels against the CPU and trains for some minutes; OUT gets the rows and, in
files of at most 15 MiB, the checkpoints from which the same command goes on. Carried back, `merge` adds the rows to the table.

On an H200 the first step is taken 15 s after the start, the data unpacked by 6 processes; an epoch of the 8-layer CNN at batch
512 takes 1.45 s on two cells and 2.2 s on four, the exact evaluation of 10 000 images 7 s.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

from benchmarks.parcels import ParcelError, pack, unpack_file
from training.data.files import CIFAR_TEST, CIFAR_TRAIN, IDX_FILES, DataFileError
from training.errors import TrainingError
from training.files import read_bounded, read_json, why, write_whole

# At the top nothing but Python's own library and numpy: the rest is in the wheels, or takes seconds to import.

WHEELS = ("pydantic", "pydantic_core", "annotated_types", "typing_inspection")
"""What `benchmarks.accuracy` imports and comes neither with Python nor with torch and its usual company (numpy, scipy, pandas,
scikit-learn, numba, matplotlib, rich, safetensors)."""
PYTHON = "3.12"
PLATFORM = ("--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_17_x86_64")
WITHOUT_MORE = ("--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:")
FILES = {
    "cifar-10": (*CIFAR_TRAIN, *CIFAR_TEST),
    "fashion-mnist": tuple(f"{name}.gz" for names in IDX_FILES.values() for name in names),
}
"""The official files of a set, as they are carried."""

MOST_MIB = 56.0
PROCESSES = 6
SECONDS, CHECK_SECONDS, STOPPING_SECONDS = 540.0, 20.0, 10.0
CONTENTS, SUFFIX, WHEEL_FOLDER = "contents.json", ".parcel", "wheels"
ROOT, TABLE = Path(__file__).parents[1], Path(__file__).parent / "results" / "accuracy.csv"
STOPPED = 4


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns the exit code: 2 bad input or a failed check, 3 a training failed, 4 there is more to train."""
    arguments = _parser().parse_args(words)
    try:
        code: int = arguments.work(arguments)
    except TrainingError as error:
        _say(str(error))
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    example = """example:
  python -m benchmarks.elsewhere pack parcels --data cifar-10-batches-bin
  (carry this repository, parcels/part-1 and parcels/part-2 to the other machine)
  python -m benchmarks.elsewhere train cifar-cnn --parts parcels --out rows
  (again until it says that all is there; then carry rows back)
  python -m benchmarks.elsewhere merge rows"""
    raw = argparse.RawDescriptionHelpFormatter
    about = f"{__doc__}\n{example}"
    parser = argparse.ArgumentParser(prog="python -m benchmarks.elsewhere", description=about, formatter_class=raw)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    packing = commands.add_parser("pack", help="data set and wheels into parts", epilog=example, formatter_class=raw)
    packing.add_argument("folder", type=Path, metavar="FOLDER", help="gets part-1, part-2, ...")
    packing.add_argument("--data", type=Path, required=True, help="folder of the official files")
    packing.add_argument("--dataset", choices=sorted(FILES), default="cifar-10")
    packing.add_argument("--parts", type=int, default=2, help="how many (default 2)")
    packing.add_argument("--most", type=float, default=MOST_MIB, metavar="MIB", help=f"of a part (default {MOST_MIB:.0f})")
    packing.add_argument("--python", default=PYTHON, metavar="VERSION", help=f"of the other machine (default {PYTHON})")
    packing.set_defaults(work=_pack)

    training = commands.add_parser("train", help="some minutes of rows", epilog=example, formatter_class=raw)
    training.add_argument("rows", nargs="+", metavar="ROW", help="as `python -m benchmarks.accuracy --help` lists them")
    training.add_argument("--parts", type=Path, required=True, metavar="FOLDER", help="what `pack` wrote")
    training.add_argument("--out", type=Path, required=True, help="rows and checkpoints; what lies there is gone on from")
    training.add_argument("--seconds", type=float, default=SECONDS, help=f"from start to end (default {SECONDS:.0f})")
    training.add_argument("--device", default="cuda", help="cuda or cpu")
    training.set_defaults(work=_train)

    checking = commands.add_parser(
        "check", help="the device's kernels against the CPU, alone", epilog=example, formatter_class=raw
    )
    checking.add_argument("--device", default="cuda", help="cuda or cpu")
    checking.set_defaults(work=_check)

    merging = commands.add_parser("merge", help="rows that were carried back into the table", epilog=example, formatter_class=raw)
    merging.add_argument("out", type=Path, metavar="OUT", help="the folder that `train` filled")
    merging.add_argument("--table", type=Path, default=TABLE, help="where they are added")
    merging.set_defaults(work=_merge)
    return parser


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


# pack


def _pack(arguments: argparse.Namespace) -> int:
    if arguments.parts < 1:
        raise ParcelError(f"--parts: {arguments.parts} is no number of parts; give 1 or more")
    with ProcessPoolExecutor(_processes()) as pool:
        parcels = {**_wheels(arguments.python), **_parcels(arguments.data, arguments.dataset, pool)}
    parts = _shared_out(parcels, arguments.parts)
    for number, names in enumerate(parts, start=1):
        if (size := sum(len(parcels[name]) for name in names)) > arguments.most * 2**20:
            what = f"part {number} of {len(parts)} would have {size / 2**20:.1f} MiB, more than {arguments.most:g}"
            raise ParcelError(f"{arguments.folder}: {what}; give --parts {len(parts) + 1}")
    _clear(arguments.folder)
    for number, names in enumerate(parts, start=1):
        _write_part(arguments.folder / f"part-{number}", {name: parcels[name] for name in names}, sorted(parcels))
    return 0


def _processes() -> int:
    return min(PROCESSES, os.cpu_count() or 1)


def _parcels(data: Path, dataset: str, pool: Executor) -> dict[str, bytes]:
    """The official files of a set, packed, by their names."""
    batches = {f"{dataset}/{name}": _official(data, dataset, name) for name in FILES[dataset]}
    packed = {name: pool.submit(pack, content, dataset == "cifar-10") for name, content in batches.items()}
    parcels = {}
    for name, future in packed.items():
        try:
            parcels[name] = future.result()
        except ParcelError as error:
            raise ParcelError(f"{data}: {Path(name).name}: {error}") from None
        _say(f"{name}: {len(batches[name]) / 2**20:.1f} MiB, packed {len(parcels[name]) / 2**20:.1f}")
    return parcels


def _official(data: Path, dataset: str, name: str) -> bytes:
    for path in (data / name, data / dataset / name):
        if path.is_file():
            try:
                return read_bounded(path)
            except OSError as error:
                raise DataFileError(f"{path}: cannot be read: {why(error)}") from error
    raise DataFileError(f"{data}: {name}: missing; give the folder of the official files of {dataset}")


def _wheels(python: str) -> dict[str, bytes]:
    """The wheels that the other machine lacks, in the versions that are tested, packed, by their names."""
    with tempfile.TemporaryDirectory() as place:
        where = ["--python-version", python, *PLATFORM, "--dest", place]
        command = [sys.executable, "-m", "pip", "download", *WITHOUT_MORE, "--constraint", str(ROOT / "constraints.txt"), *where]
        run = subprocess.run([*command, *WHEELS], capture_output=True, text=True, check=False)
        if run.returncode:
            reason = (run.stderr.strip().splitlines() or ["no word of why"])[-1]
            raise ParcelError(f"wheels: {', '.join(WHEELS)} for Python {python} cannot be downloaded: {reason}")
        return {f"{WHEEL_FOLDER}/{wheel.name}": pack(wheel.read_bytes(), False) for wheel in Path(place).glob("*.whl")}


def _shared_out(parcels: Mapping[str, bytes], count: int) -> list[list[str]]:
    """Names by part: wheels in the first, then the largest parcel into the emptiest part."""
    parts: list[list[str]] = [[] for _ in range(count)]
    sizes = [0] * count
    for name in sorted(parcels, key=lambda name: (not name.startswith(WHEEL_FOLDER), -len(parcels[name]), name)):
        part = 0 if name.startswith(WHEEL_FOLDER) else sizes.index(min(sizes))
        parts[part].append(name)
        sizes[part] += len(parcels[name])
    return parts


def _clear(folder: Path) -> None:
    """Remove the parts of before, and nothing else that lies there: one too many would be taken for one of these."""
    try:
        for pattern in (f"part-*/{CONTENTS}", f"part-*/*/*{SUFFIX}"):
            for old in folder.glob(pattern):
                old.unlink()
    except OSError as error:
        raise ParcelError(f"{folder}: the parts in it cannot be removed: {why(error)}") from error


def _write_part(part: Path, parcels: Mapping[str, bytes], everything: Sequence[str]) -> None:
    """A part's parcels, and the names of those of every part: whoever unpacks sees what is missing."""
    try:
        for name, parcel in parcels.items():
            write_whole(part / f"{name}{SUFFIX}", parcel)
        write_whole(part / CONTENTS, json.dumps(everything, indent=1).encode())
    except OSError as error:
        raise ParcelError(f"{part}: cannot be written: {why(error)}") from error
    _say(f"{part}: {len(parcels)} parcels, {sum(map(len, parcels.values())) / 2**20:.1f} MiB")


# train


def _train(arguments: argparse.Namespace) -> int:
    if not arguments.seconds > STOPPING_SECONDS:
        raise TrainingError(f"--seconds: {arguments.seconds:g} leaves no time to train; give more than {STOPPING_SECONDS:.0f}")
    end = time.monotonic() + arguments.seconds
    parcels = _present(arguments.parts)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _unpack(parcels, place)
        environment = _environment(place)
        if subprocess.run(_python("check", arguments.device), env=environment, check=False).returncode:
            return 2
        code = _slice(_training(arguments, place), environment, end - time.monotonic())
    for partial in arguments.out.rglob(".*.partial"):
        partial.unlink()
    if code == 0:
        _say(f"all rows are there; carry {arguments.out} back, and there: python -m benchmarks.elsewhere merge {arguments.out}")
    elif code == STOPPED:
        again = shlex.join(["python", "-m", "benchmarks.elsewhere", "train", *_again(arguments)])
        _say(f"stopped, as {arguments.seconds:.0f} s are nearly over; it goes on with: {again}")
    return code


def _present(folder: Path) -> dict[str, Path]:
    """Every parcel by its name. Raises `ParcelError` where one is missing, as it is while a part is."""
    parts = sorted(path.parent for path in folder.glob(f"part-*/{CONTENTS}"))
    if not parts:
        raise ParcelError(f"{folder}: holds no part-1 with its {CONTENTS}; give the folder that `pack` wrote")
    try:
        everything = {str(name) for part in parts for name in read_json(part / CONTENTS)}
    except (OSError, ValueError, TypeError) as error:
        raise ParcelError(f"{folder}: {CONTENTS} of a part cannot be read: {why(error)}; copy it again") from error
    found = {str(path.relative_to(part)).removesuffix(SUFFIX): path for part in parts for path in part.rglob(f"*{SUFFIX}")}
    if missing := sorted(everything - set(found)):
        raise ParcelError(f"{folder}: {missing[0]}{SUFFIX}: missing, and {len(missing) - 1} more; carry every part there")
    return found


def _unpack(parcels: Mapping[str, Path], place: Path) -> None:
    """Files of data sets in folders of their names, the wheels as importable packages beside them."""
    with ProcessPoolExecutor(_processes()) as pool:
        for done in [pool.submit(unpack_file, parcel, place / name) for name, parcel in parcels.items()]:
            done.result()
    for wheel in (place / WHEEL_FOLDER).glob("*.whl"):
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(place / WHEEL_FOLDER)


def _environment(place: Path) -> dict[str, str]:
    """The packages that were carried come first, then this repository."""
    paths = [str(place / WHEEL_FOLDER), str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _python(command: str, device: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.elsewhere", command, "--device", device]


def _training(arguments: argparse.Namespace, data: Path) -> list[str]:
    places = ["--data", str(data), "--checkpoints", str(arguments.out / "checkpoints"), "--table", str(_rows_of(arguments.out))]
    command = [sys.executable, "-m", "benchmarks.accuracy", *arguments.rows, "--device", arguments.device]
    return [*command, *places, "--small-checkpoints"]


def _rows_of(out: Path) -> Path:
    return out / "accuracy.csv"


def _again(arguments: argparse.Namespace) -> Iterator[str]:
    yield from arguments.rows
    yield from ("--parts", str(arguments.parts), "--out", str(arguments.out))
    yield from ("--seconds", f"{arguments.seconds:g}", "--device", arguments.device)


def _slice(command: Sequence[str], environment: Mapping[str, str], seconds: float) -> int:
    """Run a training that has checkpoints for so long; its exit code, or `STOPPED`."""
    process = subprocess.Popen(command, env=environment)
    try:
        return process.wait(max(seconds - STOPPING_SECONDS, 0))
    except subprocess.TimeoutExpired:
        return STOPPED
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End it where it still runs: a checkpoint is there whole or not at all, and at most a minute old."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOPPING_SECONDS / 2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _check(arguments: argparse.Namespace) -> int:
    """Raises `TrainingError` where a kernel is off; those that 20 s are too short for are left, and counted."""
    import torch

    from benchmarks.device import MOST_ERROR, kernels_against_the_cpu

    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        raise TrainingError(f"--device: torch sees no CUDA device for {arguments.device!r}; give cpu, or a machine that has one")
    end, errors, left = time.monotonic() + CHECK_SECONDS, [], ""
    for figure in kernels_against_the_cpu(arguments.device):
        if not figure.value <= MOST_ERROR:
            raise TrainingError(f"{figure.name}: {figure.value:.3g} is above {MOST_ERROR:g} ({figure.detail}); train elsewhere")
        errors.append(figure.value)
        if time.monotonic() > end:
            left = f"; ended with {figure.name}, as {CHECK_SECONDS:.0f} s were over"
            break
    _say(f"{len(errors)} kernels within {max(errors):.1e} of the CPU, at most {MOST_ERROR:g}{left}")
    return 0


# merge


def _merge(arguments: argparse.Namespace) -> int:
    """Rows of runs that the table does not have yet; what is measured does not make another run of one."""
    from benchmarks.accuracy import ADDED, COLUMNS
    from training.study.table import GrowingTable

    if not (rows := GrowingTable(_rows_of(arguments.out), COLUMNS, ADDED).rows()):
        raise TrainingError(f"{_rows_of(arguments.out)}: holds no row; give the folder that `train` filled")
    table = GrowingTable(arguments.table, COLUMNS, ADDED)
    decisive = [name for name in COLUMNS if name not in ("test_accuracy", "train_seconds", "chip")]
    known = {tuple(row[name] for name in decisive) for row in table.rows()}
    added = 0
    for row in rows:
        if (run := tuple(row[name] for name in decisive)) not in known:
            table.append(row)
            known.add(run)
            added += 1
    _say(f"{arguments.table}: {added} rows added, {len(rows) - added} were there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
