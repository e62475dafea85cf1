"""`cosim fit`: from measured files to a folder with the hardware model and a table of parameters."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.design import load_design
from cosim.errors import InputError
from cosim.runs.directory import RunDirectory
from cosim.silicon.fit import SiliconFit, fit_silicon
from training.hardware import HardwareModel, HardwareModelError

if TYPE_CHECKING:
    import pandas as pd

PARAMETERS, HARDWARE = "parameters.csv", "hardware.json"
COLUMNS = ("parameter", "value", "standard_error", "unit", "source")


@dataclass(frozen=True)
class FitResult:
    """What `cosim fit` has to say: the fit, and the files it wrote (none where no file could be used)."""

    fit: SiliconFit
    files: tuple[Path, ...]

    @property
    def table(self) -> pd.DataFrame:
        """One row a parameter: `parameter, value, standard_error, unit, source`."""
        import pandas as pd

        return pd.DataFrame(self.fit.rows(), columns=list(COLUMNS))

    @property
    def hardware(self) -> HardwareModel:
        """The model with what was measured in the place of what was simulated."""
        return self.fit.hardware

    @property
    def refused(self) -> list[str]:
        """Files that could not be used: file, what is wrong, what would be right."""
        return self.fit.refused

    def as_dict(self) -> dict[str, Any]:
        """Parameters, refusals and files, by name."""
        residual = self.fit.waveforms.residual_rms_v if self.fit.waveforms else None
        return {
            "parameters": self.fit.rows(), "residual_rms_v": residual, "measured": self.fit.measured, "refused": self.refused,
            "files": [str(file) for file in self.files],
        }  # fmt: skip

    def lines(self) -> list[str]:
        """The same for people."""
        said = [
            f"{row['parameter']:<40} {row['value']:>11.5g} +- {row['standard_error']:<9.2g} {row['unit']}".rstrip()
            for row in self.fit.rows()
        ]
        if self.fit.waveforms:
            found = self.fit.waveforms
            said.append(f"{'residual of the waveforms, rms':<40} {found.residual_rms_v:>11.3g} V ({found.samples} samples)")
        if self.fit.measured:
            said.append(f"measured: {'; '.join(self.fit.measured)}; everything else is as simulated")
        return [*said, *(f"  {file}" for file in self.files)]


def run_fit(measured: Sequence[Path], design_file: Path, hardware: Path | None, out: Path | None) -> FitResult:
    """Fit the files and write hardware.json and parameters.csv. Raises `InputError` where nothing can be fitted at all."""
    design = load_design(design_file)
    run = Path("runs") / design.name
    base_file = hardware or run / HARDWARE
    if not base_file.exists():
        raise InputError(
            f"{base_file}: not there; what is not measured comes from simulation: run `cosim characterize {design_file}` first, "
            "or give --hardware"
        )
    try:
        base = HardwareModel.load(base_file)
    except HardwareModelError as error:
        raise InputError(str(error)) from error
    fit = fit_silicon(measured, design, base)
    if not fit.measured:
        return FitResult(fit, ())
    with RunDirectory(out or run / "silicon").open(design.name, kind="fit", known=(HARDWARE, PARAMETERS)) as folder:
        return FitResult(fit, _written(fit, folder))


def _written(fit: SiliconFit, folder: RunDirectory) -> tuple[Path, ...]:
    """The table first: the model is what counts as the result."""
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS)
    writer.writeheader()
    writer.writerows(fit.rows())
    folder.write(PARAMETERS, table.getvalue().encode())
    fit.hardware.save(folder / HARDWARE)
    return folder / HARDWARE, folder / PARAMETERS
