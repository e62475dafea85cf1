"""Times that an oscilloscope has written with too few digits."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from cosim.errors import InputError, InputRemark
from cosim.fits.membrane_model import FloatArray

ROUNDED_BY = 0.6
"""Farthest that rounding moves a time, in units of its last digit; a half, and what the fitted grid may be off by."""

_MOST_DIGITS = 15


def even_times(path: Path, times_s: FloatArray, lines: Sequence[int]) -> FloatArray:
    """The times themselves; where rounding made neighbours the same, those of the even steps that they were rounded from.

    Times [n] (s). Raises `InputError` where they fall, or repeat without having been even.
    """
    steps = np.diff(times_s)
    if (steps > 0).all():
        return times_s
    if (steps < 0).any():
        line = lines[int(np.flatnonzero(steps < 0)[0]) + 1]
        raise InputError(f"{path}: line {line}: time_s: does not rise from the line before; sort the samples by time")
    for last_digit in _last_digits(times_s):
        even = _even(times_s, last_digit)
        if (np.abs(even - times_s) < ROUNDED_BY * last_digit).all() and even[1] > even[0]:
            warnings.warn(
                f"{path}: times repeat, written with too few digits; read as even steps of {even[1] - even[0]:.4g} s",
                InputRemark, stacklevel=1,
            )  # fmt: skip
            return even
    line = lines[int(np.flatnonzero(steps == 0)[0]) + 1]
    raise InputError(
        f"{path}: line {line}: time_s: is that of the line before, and the steps were not even; export more digits, or times "
        "from the trigger on"
    )


def _last_digits(times_s: FloatArray) -> Iterator[FloatArray]:
    """What one unit of the last digit of each time is worth, [n]: with a number of significant digits, or of decimals."""
    for digits in range(1, _MOST_DIGITS):
        if all(float(f"{time:.{digits - 1}e}") == time for time in times_s):
            magnitude = np.floor(np.log10(np.maximum(np.abs(times_s), np.abs(times_s[times_s != 0]).min())))
            yield 10.0 ** (magnitude - digits + 1)
            break
    for decimals in range(_MOST_DIGITS):
        if all(float(f"{time:.{decimals}f}") == time for time in times_s):
            yield np.full(len(times_s), 10.0**-decimals)
            break


def _even(times_s: FloatArray, last_digit: FloatArray) -> FloatArray:
    """The even steps nearest to the times, each as far as it is known."""
    index = np.arange(len(times_s), dtype=float)
    step, start = np.polyfit(index, times_s - times_s[0], 1, w=1.0 / last_digit)
    return np.asarray(times_s[0] + start + step * index)
