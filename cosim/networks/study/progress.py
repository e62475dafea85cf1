"""What a study says of itself while it trains."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.runs.progress import Monitor
from training.study.runs import Run
from training.trainer import Epoch


class StudyProgress:
    """Tells a monitor, whose steps are epochs, which network of how many is at which epoch.

    Networks that share a training share its epochs; those that a checkpoint holds count as known.
    """

    def __init__(self, monitor: Monitor, runs: Sequence[Run], missing: Sequence[Run]) -> None:
        self._monitor, self._networks = monitor, len(runs)
        self._place = {run.key: place for place, run in enumerate(runs, 1)}
        self._epochs = runs[0].study.recipe.epochs if runs else 0
        self._done = {run.training_key: 0 for run in missing}
        trainings = len({run.training_key for run in runs})
        monitor.expect(trainings * self._epochs)
        monitor.known((trainings - len(self._done)) * self._epochs)

    def begun(self, run: Run) -> None:
        """A network is taken up."""
        self._monitor.activity(f"{self._which(run)}: {run.title}")

    def heard(self, run: Run, epoch: Epoch) -> None:
        """An epoch of it is done."""
        self._monitor.doing = (
            f"{self._which(run)}, epoch {epoch.epoch} of {self._epochs}, loss {epoch.loss:.3g}, "
            f"accuracy {100 * epoch.train_accuracy:.1f} %: {run.title}"
        )
        done = self._done[run.training_key]
        if epoch.epoch > done:
            self._monitor.known(epoch.epoch - 1 - done)
            self._monitor.step()
            self._done[run.training_key] = epoch.epoch

    def trained(self, run: Run) -> None:
        """It has its row; epochs that were not heard of were in its checkpoint."""
        self._monitor.known(self._epochs - self._done[run.training_key])
        self._done[run.training_key] = self._epochs

    def failed(self, row: dict[str, str]) -> None:
        """It has none; `row` says why."""
        self._monitor.failed += 1
        self._monitor.failure({"condition": row["network"], "reason": row["reason"], "rerun": row["rerun"]})

    def _which(self, run: Run) -> str:
        return f"network {self._place[run.key]} of {self._networks}"
