"""A page on paper, in a process of its own: pango ends the process that it runs in where a machine has no fonts.

`python -m reports.typesetting` reads HTML from standard input and writes PDF to standard output.
"""

from __future__ import annotations

import base64
import logging
import os
import re
import subprocess
import sys

from reports.errors import ReportError

_NO_PANGO = 3
TIME_OUT_S = 600.0


def typeset(page: str, name: str) -> bytes:
    """The page as PDF. Raises `ReportError`, which names the file and the remedy, without pango, fonts, or where it fails."""
    path = os.pathsep.join(folder for folder in sys.path if folder)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "reports.typesetting"],
            input=for_paper(page).encode(), capture_output=True, check=False, timeout=TIME_OUT_S,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ReportError(f"{name}: typesetting took more than {TIME_OUT_S:g} s") from None
    if done.returncode == 0:
        return done.stdout
    if done.returncode < 0:
        raise ReportError(
            f"{name}: the typesetter crashed, as it does on a machine without fonts (Debian: apt install fonts-dejavu-core)"
        )
    said = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
    raise ReportError(f"{name}: {said[-1]}")


def for_paper(page: str) -> str:
    """The page without its scripts, each figure an image: its thousands of elements are then no matter of the page's style, which
    takes a third of the time."""

    def image(figure: re.Match[str]) -> str:
        return f'<img alt="" src="data:image/svg+xml;base64,{base64.b64encode(figure[0].encode()).decode("ascii")}">'

    return re.sub(r"<svg\b.*?</svg>", image, re.sub(r"<script\b.*?</script>", "", page, flags=re.DOTALL), flags=re.DOTALL)


def main() -> int:
    """The process."""
    try:
        from weasyprint import HTML
    except OSError as error:  # weasyprint loads pango when it is imported
        reason = str(error).splitlines()[0]
        print(f"pango is missing (Debian: apt install libpango-1.0-0 libpangoft2-1.0-0): {reason}", file=sys.stderr)
        return _NO_PANGO
    # it warns of every presentation attribute of an inline figure that has no meaning on paper
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    sys.stdout.buffer.write(HTML(string=sys.stdin.buffer.read().decode()).write_pdf())
    return 0


if __name__ == "__main__":
    sys.exit(main())
