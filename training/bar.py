"""A bar of the epochs of a training on a terminal."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from training.learner import Epoch


@contextlib.contextmanager
def epoch_bar(epochs: int) -> Iterator[Callable[[Epoch], None]]:
    """Gives the function that shows an epoch on standard error: its number, loss, test accuracy, and the time left."""
    columns = (TextColumn("epoch"), MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=epochs)

        def show(row: Epoch) -> None:
            accuracy = "" if math.isnan(row.test_accuracy) else f", test accuracy {100 * row.test_accuracy:.1f} %"
            bar.update(task, completed=row.epoch, description=f"loss {row.loss:.4g}{accuracy}")

        yield show
