"""One look for all figures: palette, type, axes with engineering prefixes, and the way from a Figure to inline SVG."""

from __future__ import annotations

import hashlib
import inspect
import io
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator
from PIL import Image

P = ParamSpec("P")

WIDE, NARROW = 7.2, 3.5  # inches: the column, and half of it

# Dark against light, so that the pairs stay apart in greyscale and for every kind of colour vision.
COLOUR = {"ode": "#0b4f8a", "conventional": "#e08a00"}
MARKER = {"ode": "o", "conventional": "^"}
NAME = {"ode": "ODE-aware", "conventional": "conventional"}
SIGN_COLOUR = {1: "#0b4f8a", -1: "#e08a00"}
SIGN_MARKER = {1: "o", -1: "s"}
SIGN_NAME = {1: "NMOS pair (w ≥ 0)", -1: "PMOS pair (w < 0)"}
INK, MUTED, GRID, SHADE = "#1b1f24", "#5b6672", "#e3e7eb", "#eef2f6"

_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans", "font.size": 7.5, "axes.titlesize": 8, "axes.labelsize": 7.5,
    "xtick.labelsize": 7, "ytick.labelsize": 7, "legend.fontsize": 7, "legend.frameon": False,
    "axes.titlelocation": "left", "axes.titleweight": "bold",
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": MUTED, "xtick.color": MUTED, "ytick.color": MUTED,
    "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.6,
    "axes.grid": True, "grid.color": GRID, "grid.linewidth": 0.5, "axes.axisbelow": True,
    "xtick.major.width": 0.6, "ytick.major.width": 0.6, "xtick.minor.width": 0.4, "ytick.minor.width": 0.4,
    "lines.linewidth": 1.1, "lines.markersize": 3, "patch.linewidth": 0.6,
    "svg.fonttype": "path", "svg.hashsalt": "cosim", "figure.constrained_layout.use": True,
}  # fmt: skip


def look() -> Any:
    """The common style, as a context."""
    return mpl.rc_context(_STYLE)


def svg(plot: Callable[P, Figure]) -> Callable[P, Markup]:
    """Decorate a function that draws a Figure into one that gives inline SVG in the common style."""

    @wraps(plot)
    def render(*args: P.args, **kwargs: P.kwargs) -> Markup:
        with look():
            figure = plot(*args, **kwargs)
            buffer = io.StringIO()
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        return Markup(_inline(buffer.getvalue(), getattr(plot, "__name__", "figure")))

    return render


def png(plot: Callable[..., Markup], *args: Any, dpi: int = 135) -> bytes:
    """What a plot of this room (`svg`) draws, as a PNG of its own: for pages that are not ours."""
    with look():
        return flat_png(inspect.unwrap(plot)(*args), dpi)


def flat_png(figure: Figure, dpi: int) -> bytes:
    """A figure as PNG in 64 colours of its own, more than drawings have: a quarter of the size."""
    drawn, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi)
    few = Image.open(drawn).convert("RGB").quantize(64, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(packed, format="png", optimize=True)
    return packed.getvalue()


def axes(rows: int, columns: int, width: float, height: float, **options: Any) -> tuple[Figure, Any]:
    """A figure of `width` x `height` inches and its axes as an array [rows, columns]."""
    figure = Figure(figsize=(width, height))
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def units(axis: Any, x: str | None = None, y: str | None = None) -> None:
    """Put engineering prefixes with these units on the ticks of the axes."""
    for target, unit in ((axis.xaxis, x), (axis.yaxis, y)):
        if unit is not None:
            target.set_major_locator(target.get_major_locator() if _is_log(target) else MaxNLocator(5))
            target.set_major_formatter(EngFormatter(unit=unit, sep="\N{NO-BREAK SPACE}"))


def weights(axis: Any) -> None:
    """A logarithmic axis of weights, ticks as plain numbers."""
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")


def _is_log(axis: Any) -> bool:
    return bool(axis.get_scale() == "log")


def shades(count: int) -> Any:
    """`count` colours from dark to light, ordered in greyscale as well."""
    return mpl.colormaps["viridis"](np.linspace(0.0, 0.86, max(count, 1)))


def legend_above(axis: Any, **options: Any) -> None:
    """A legend over the axes, where it covers no data."""
    axis.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.1, handlelength=1.8, columnspacing=1.2, **options)


def _inline(document: str, prefix: str) -> str:
    """The <svg> element alone, scalable, with ids that are unique to this figure (all figures share one page)."""
    element = document[document.index("<svg") :]
    element = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", element, count=1)
    element = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", element, count=1)
    element = _drawn_to_a_hundredth(re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL))
    unique = f"{prefix}-{hashlib.sha256(element.encode()).hexdigest()[:8]}"
    element = re.sub(r'\bid="', f'id="{unique}-', element)
    return re.sub(r'(url\(|href=")#', rf"\1#{unique}-", element)


def _drawn_to_a_hundredth(element: str) -> str:
    """The same drawing in fewer characters: coordinates to 0.01 pt, which is 3.5 um on paper, and no line breaks for the eye."""

    def coordinates(attribute: re.Match[str]) -> str:
        return " ".join(re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", attribute[0]).split())

    return re.sub(r">\s+<", "><", re.sub(r'\b[dxy]="[^"]*"', coordinates, element))
