"""The optional packages that a piece of work needs, and errors of the rooms as lines for the user."""

from __future__ import annotations

import contextlib
import errno
import functools
import importlib.metadata
import importlib.util
import re
from collections.abc import Iterator, Sequence

from cosim.errors import CosimError, InputError
from cosim.pipeline.closure import ROOMS
from layouts.errors import LayoutError
from netlists.errors import NetlistError
from reports.errors import ReportError
from training.errors import TrainingError


class MachineError(CosimError):
    """The machine could not go on: a full disk, a quota, a device that fails."""

    exit_code = 3


_OF_THE_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ESTALE}
_NO_PATH = ("Symlink loop", "embedded null byte")
"""What `Path.resolve` says of a path, otherwise than by an OSError."""
_USER_ERRORS = (NetlistError, LayoutError, TrainingError, ReportError)
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "markupsafe": "jinja2"}
"""Who brings a package that is imported by another name than it is installed by."""
_REQUIREMENT = re.compile(r"""([A-Za-z0-9._-]+).*;\s*extra\s*==\s*["']([^"']+)["']""")


@functools.cache
def extras() -> dict[str, tuple[str, ...]]:
    """What each extra of the installed cosim brings, by the names that pip knows; nothing where cosim was not installed."""
    found: dict[str, tuple[str, ...]] = {}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for requirement in importlib.metadata.requires("cosim") or ():
            match = _REQUIREMENT.fullmatch(requirement)
            if match and match[1] != "cosim":
                found[match[2]] = (*found.get(match[2], ()), match[1])
    return found


def check_packages(packages: Sequence[str], what: str) -> None:
    """Before hours of simulation, not after them. Raises `InputError`."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise InputError(_missing(package, what))


def _missing(package: str, what: str) -> str:
    distribution = _DISTRIBUTIONS.get(package, package)
    extra = next((extra for extra, names in extras().items() if distribution.lower() in map(str.lower, names)), None)
    how = f"pip install 'cosim[{extra}]'" if extra else f"pip install {distribution}"
    return f"{what} needs the Python package {package}, which is not installed: {how}"


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """What a user can set right leaves as `InputError`: errors of the rooms, a missing package, simulator, or full disk."""
    from cosim.simulator.errors import Reason, SimulationError

    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package in ("", *ROOMS):
            raise
        raise InputError(_missing(package, "this stage")) from error
    except SimulationError as error:
        if error.reason is not Reason.LIBRARY_MISSING:
            raise
        raise InputError(str(error)) from error
    except _USER_ERRORS as error:
        raise InputError(str(error)) from error
    except (RuntimeError, ValueError) as error:
        if not str(error).startswith(_NO_PATH):
            raise
        raise InputError(f"{error}: a path that names no file") from error
    except OSError as error:
        if error.filename is not None:
            raise InputError(f"{error.filename}: {error.strerror}") from error
        if error.errno not in _OF_THE_MACHINE:
            raise
        raise MachineError(f"{error.strerror}; what was written before is kept: run the same command again then") from error
