"""The pictures of a run that README.md shows: `python -m benchmarks.report_pictures runs/iris_5_5_5 docs/images`.

As in its report: membranes of the worst, the median and the best sample, and the spikes of both mappings.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from reports.figures import validation as figures
from reports.figures.style import png
from reports.run import read_run
from reports.sections.validation import nominal_of, ranked_samples

MAPPING = "ode"


def pictures(run_dir: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents. Raises `ReportError` for a run that cannot be read, `KeyError` for one without a validation."""
    run = read_run(run_dir)
    waveforms = run.tables["validation/waveforms"]
    own = waveforms[waveforms.mapping == MAPPING]
    ranked = ranked_samples(run, MAPPING, set(own["sample"]))
    samples = {rank: sample for rank, (sample, _) in ranked.items()}
    yield "membranes.png", png(figures.membrane_overlay, own, samples, run.phase_s)
    yield "spike_times.png", png(figures.parity, nominal_of(run.tables["validation/spikes"]))


if __name__ == "__main__":
    for name, content in pictures(Path(sys.argv[1])):
        (Path(sys.argv[2]) / name).write_bytes(content)
