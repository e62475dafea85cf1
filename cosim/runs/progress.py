"""What a run says of itself while it works: a bar on a terminal, a line now and then in a log, or nothing."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cosim.simulator.points import Outcome

LOG_EVERY_S = 5.0

log = logging.getLogger("cosim")


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, as 1:02:03 or 2:03."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class Monitor:
    """Hears of stages, steps and simulated points. This one counts and says nothing; a context manager."""

    def __init__(self) -> None:
        self.stage_name = ""
        self.doing = ""
        self.expected = self.done = self.cached = self.failed = 0
        self.worst_memory_mb = 0.0
        self.remarks: list[str] = []
        self._started = time.monotonic()

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def begin(self, stage: str) -> None:
        """A stage starts."""
        self.stage_name, self.doing = stage, ""
        self.expected = self.done = self.cached = self.failed = 0
        self._started = time.monotonic()
        self._show()

    def skip(self, stage: str) -> None:
        """A stage is up to date."""

    def end(self) -> None:
        """The stage is done."""

    def activity(self, what: str) -> None:
        """What the stage is at, in words."""
        self.doing = what
        self._show()

    def expect(self, steps: int) -> None:
        """So many more points or epochs will come."""
        self.expected += steps
        self._show()

    def outcome(self, outcome: Outcome) -> None:
        """A simulated point has ended."""
        self.cached += outcome.cached
        self.failed += outcome.error is not None
        self.worst_memory_mb = max(self.worst_memory_mb, outcome.peak_memory_mb)
        self.step()

    def failure(self, row: Mapping[str, Any]) -> None:
        """A point has failed: condition, seed, reason, and the command that runs it again."""

    def remark(self, line: str) -> None:
        """What a user should know of the run, whether it goes on or not; told once, and again with the result."""
        if line not in self.remarks:
            self.remarks.append(line)
            self._tell(line)

    def tell(self, line: str) -> None:
        """What the run is about to do, or what a stage has found; for who looks on, and not said again."""
        self._tell(line)

    def step(self) -> None:
        """One point or epoch is done."""
        self.done += 1
        self._show()

    def known(self, steps: int) -> None:
        """So many points or epochs were there from before."""
        self.cached += steps
        self.done += steps
        self._show()

    def close(self) -> None:
        """The run is over, whatever the reason."""

    @property
    def elapsed_s(self) -> float:
        """Since the stage started."""
        return time.monotonic() - self._started

    @property
    def rate_per_s(self) -> float:
        """Points (or epochs) a second that were not known already."""
        return (self.done - self.cached) / max(self.elapsed_s, 1e-3)

    @property
    def left_s(self) -> float | None:
        """Time to go for what is known to come; None before the first result."""
        return (self.expected - self.done) / self.rate_per_s if self.done > self.cached else None

    def summary(self) -> str:
        """The state of the stage in one line."""
        counts = [f"{self.done}/{self.expected}"] if self.expected else []
        counts += [f"{count} {what}" for count, what in ((self.cached, "cached"), (self.failed, "failed")) if count]
        counts += [f"{self.rate_per_s:.3g}/s"] if self.done > self.cached else []
        counts += [f"{self.worst_memory_mb:.0f} MB"] if self.worst_memory_mb else []
        return " ".join(
            [f"{self.stage_name}:", *([self.doing] if self.doing else []), *([f"({', '.join(counts)})"] if counts else [])]
        )

    def _show(self) -> None:
        pass

    def _tell(self, line: str) -> None:
        pass


class LineMonitor(Monitor):
    """Lines about the work as a whole, for a log or a pipe: what will be done, each stage as it ends, what it has found.

    Nothing is said before the first point or epoch is done: what is refused until then is refused in one line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write
        self._held: list[str] | None = []

    def end(self) -> None:
        self._release()
        self._write(f"{self.summary()} {self.elapsed_s:.1f} s")

    def tell(self, line: str) -> None:
        if self._held is None:
            self._write(line)
        else:
            self._held.append(line)

    def step(self) -> None:
        super().step()
        self._release()

    def _release(self) -> None:
        held, self._held = self._held, None
        for line in held or ():
            self._write(line)


class LogMonitor(Monitor):
    """A log line every few seconds, and one for every stage."""

    def __init__(self) -> None:
        super().__init__()
        self._said = 0.0

    def skip(self, stage: str) -> None:
        log.info("%s: up to date", stage)

    def failure(self, row: Mapping[str, Any]) -> None:
        log.info("failed (%s): %s | again: %s", row["reason"], row["condition"], row["rerun"])

    def end(self) -> None:
        log.info("%s done in %.1f s", self.summary(), self.elapsed_s)

    def _tell(self, line: str) -> None:
        log.info("%s", line)

    def _show(self) -> None:
        if time.monotonic() - self._said >= LOG_EVERY_S:
            self._said = time.monotonic()
            log.info("%s%s", self.summary(), "" if self.left_s is None else f", {duration(self.left_s)} left")


class JsonMonitor(Monitor):
    """Events for machines, one JSON object a line: progress about once a second, every failure, the end of a stage."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write
        self._said = 0.0

    def failure(self, row: Mapping[str, Any]) -> None:
        self._say("failed", **{name: value for name, value in row.items() if name not in ("log", "deck")})

    def end(self) -> None:
        self._progress("done")

    def tell(self, line: str) -> None:
        """Machines read files."""

    def _tell(self, line: str) -> None:
        self._say("remark", remark=line)

    def _show(self) -> None:
        if time.monotonic() - self._said >= 1.0:
            self._said = time.monotonic()
            self._progress("progress")

    def _progress(self, event: str) -> None:
        left = None if self.left_s is None else round(self.left_s, 1)
        self._say(
            event, stage=self.stage_name, done=self.done, expected=self.expected, cached=self.cached, failed=self.failed,
            rate_per_s=round(self.rate_per_s, 2), left_s=left, worst_memory_mb=round(self.worst_memory_mb, 1),
        )  # fmt: skip

    def _say(self, event: str, **fields: Any) -> None:
        self._write(json.dumps({"event": event, **fields}, default=str))


class TerminalMonitor(Monitor):
    """A progress bar with counts and the time to go (for what is known so far), and below it what the stage is at."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console, Group
        from rich.live import Live
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.text import Text

        self._bar = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}"), TimeElapsedColumn(), TextColumn("{task.fields[left]}"),
        )  # fmt: skip
        self._task = self._bar.add_task("", total=None, counts="", left="")
        self._doing = Text(no_wrap=True, overflow="ellipsis")
        self._live = Live(Group(self._bar, self._doing), console=Console(stderr=True), transient=True)
        self._live.start()

    def begin(self, stage: str) -> None:
        self._bar.reset(self._task, total=None)
        super().begin(stage)

    def skip(self, stage: str) -> None:
        self._print(f"{stage}: up to date")

    def failure(self, row: Mapping[str, Any]) -> None:
        self._print(f"failed ({row['reason']}): {row['condition']}")

    def end(self) -> None:
        self._print(f"{self.summary()} {self.elapsed_s:.1f} s")

    def close(self) -> None:
        self._live.stop()

    def _tell(self, line: str) -> None:
        self._print(line)

    def _print(self, line: str) -> None:
        self._live.console.print(f"  {line}", highlight=False, markup=False)

    def _show(self) -> None:
        counts = " ".join(f"{count} {what}" for count, what in ((self.cached, "cached"), (self.failed, "failed")) if count)
        if self.worst_memory_mb:
            counts = f"{counts} {self.rate_per_s:.3g}/s {self.worst_memory_mb:.0f} MB".strip()
        left = "" if self.left_s is None else f"{duration(self.left_s)} left"
        self._bar.update(
            self._task, description=self.stage_name, total=self.expected or None, completed=self.done, counts=counts, left=left
        )
        self._doing.plain = f"  {self.doing}"
