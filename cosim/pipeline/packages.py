"""The optional packages that a piece of work needs, and errors of the rooms as lines for the user."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator, Sequence

from cosim.errors import InputError

ROOMS = ("cosim", "netlists", "sky130_models", "training", "reports")
EXTRAS = {
    "PySpice": "simulation", "platformdirs": "simulation", "torch": "training", "safetensors": "training", "sklearn": "training",
    "lightning": "training", "numba": "training", "pooch": "training",
    "jinja2": "reports", "markupsafe": "reports", "matplotlib": "reports", "weasyprint": "reports", "schemdraw": "reports",
}  # fmt: skip


def check_packages(packages: Sequence[str], what: str) -> None:
    """Before hours of simulation, not after them. Raises `InputError`."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise InputError(_missing(package, what))


def _missing(package: str, what: str) -> str:
    extra = EXTRAS.get(package)
    how = f"pip install 'cosim[{extra}]'" if extra else f"pip install {package}"
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
    except ValueError as error:
        # The rooms' own errors are ValueErrors with one line for the user; any other ValueError is a bug and shows itself.
        if type(error).__module__.split(".")[0] not in ROOMS:
            raise
        raise InputError(str(error)) from error
    except OSError as error:
        if error.filename is None:
            raise
        raise InputError(f"{error.filename}: {error.strerror}") from error
