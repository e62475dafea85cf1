"""Networks trained one after the other or several at a time, and what comes of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from cosim.networks.study.attempt import Failure, Row, Work, attempt
from cosim.networks.study.processes import Heard, train_in_processes
from training.study.runs import Run, study_data


def outcomes(
    missing: Sequence[Run], work: Work, jobs: int, heard: Heard, begun: Callable[[Run], None] = lambda run: None
) -> Iterator[tuple[Run, Row | Failure]]:
    """Train `jobs` networks at a time, in processes where more than one; yields each as it ends, of one process in turn.

    `heard` is told of every epoch, `begun` of a network that this process takes up. Raises `TrainingError` for what is wrong with
    the study itself.
    """
    if jobs > 1 and len(missing) > 1:
        groups: dict[str, list[Run]] = {}
        for run in missing:
            # Networks that share a training share its checkpoint: two processes must not write it.
            groups.setdefault(run.training_key, []).append(run)
        yield from train_in_processes(groups.values(), work, jobs, heard)
        return
    spikes = study_data(missing[0].study, work.data, work.held_out) if missing else None
    for run in missing:
        assert spikes is not None
        begun(run)
        yield run, attempt(run, spikes, work, partial(heard, run))
