"""Numbers as text: engineering prefixes, shares, and the unit that a metric's name carries."""

from __future__ import annotations

import math

MISSING = "–"
_PREFIXES = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_UNIT_OF_SUFFIX = {
    "_per_v": "/V",
    "_per_w": "/W",
    "_s": "s",
    "_j": "J",
    "_v": "V",
    "_f": "F",
    "_a": "A",
    "_c": "C",
    "_b": "B",
    "_w": "W",
}
_SHARES = ("accuracy", "agreement", "share", "fraction")


def number(value: float | None, digits: int = 3) -> str:
    """A dimensionless number with `digits` significant digits, without an exponent where it reads well."""
    if value is None or not math.isfinite(value):
        return MISSING if value is None or math.isnan(value) else str(value).replace("inf", "∞")
    if value == int(value) and abs(value) < 1e6:
        return f"{value:.0f}".replace("-", "\N{MINUS SIGN}")
    if value and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.{digits - 1}e}".replace("-", "\N{MINUS SIGN}")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def engineering(value: float | None, unit: str, digits: int = 3) -> str:
    """An SI value with an engineering prefix and `digits` significant digits: 1.97e-9, "s" gives 1.97 ns."""
    if value is None or not math.isfinite(value):
        return number(value)
    if not unit or unit.startswith("/"):
        return f"{number(value, digits)} {unit}".strip()
    rounded = float(f"{value:.{digits - 1}e}")  # first, so that 999.9e-12 is 1.00 n and not 1000 p
    exponent = 0 if rounded == 0 else 3 * math.floor(math.log10(abs(rounded)) / 3)
    exponent = min(max(exponent, min(_PREFIXES)), 0 if unit == "s" else max(_PREFIXES))  # nobody counts in kiloseconds
    mantissa = rounded / 10.0**exponent
    decimals = 0 if rounded == 0 else max(0, digits - 1 - math.floor(math.log10(abs(mantissa)) + 1e-9))
    return f"{mantissa:.{decimals}f} {_PREFIXES[exponent]}{unit}".replace("-", "\N{MINUS SIGN}")


def percent(value: float | None, decimals: int = 1) -> str:
    """A share (0..1) in percent."""
    if value is None or not math.isfinite(value):
        return number(value)
    return f"{100 * value:.{decimals}f} %".replace("-", "\N{MINUS SIGN}")


def metric(name: str, value: float | None) -> str:
    """A metric in the unit that its flat name ends in (`..._s` is seconds); shares in percent."""
    if name.endswith(_SHARES):
        return percent(value)
    unit = next((unit for suffix, unit in _UNIT_OF_SUFFIX.items() if name.endswith(suffix)), "")
    return engineering(value, unit)
