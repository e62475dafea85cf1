"""What ngspice's messages mean. Its return codes are 0 for almost every failure, so the text has to be read.

PySpice takes any line with the word "error" for one, so a node of that name ends a run; the patterns below match what ngspice
itself writes, at the start of a line and in its own capitals (it echoes netlists in lower case).
"""

from __future__ import annotations

import re

from cosim.simulator.errors import Reason

_LOAD_FAILURES: tuple[tuple[re.Pattern[str], Reason], ...] = (
    (re.compile(r"^Undefined parameter \[(?P<what>.*)\]"), Reason.UNDEFINED_PARAMETER),
    (re.compile(r"^Error: unknown subckt: (?P<what>.*)"), Reason.UNKNOWN_SUBCIRCUIT),
    (re.compile(r"^Error: Could not find (?:include|library) file (?P<what>.*)"), Reason.MISSING_INCLUDE),
    (re.compile(r"^ERROR, library file (?P<what>.*) not found"), Reason.MISSING_INCLUDE),
    (re.compile(r"^Error on line(?: \d+ .*?)?: (?P<what>.*): could not find a valid modelname"), Reason.UNKNOWN_MODEL),
    (re.compile(r"^Error on line(?: \d+ .*?)?: (?P<what>.*?)(?: - error)?$"), Reason.LOAD),
    (re.compile(r"^(?P<what>Too (?:many|few) parameters for subcircuit type .*)"), Reason.LOAD),
    (re.compile(r"^Expression err: (?P<what>.*)"), Reason.LOAD),
    (re.compile(r"^(?:Fatal e|E)rror: *(?P<what>.*)"), Reason.LOAD),
)
_RUN_FAILURES: tuple[tuple[re.Pattern[str], Reason], ...] = (
    (re.compile(r"^doAnalyses: (?P<what>.*[Tt]imestep too small.*)"), Reason.NO_CONVERGENCE),
    (re.compile(r"^doAnalyses: (?P<what>.*[Ii]teration limit.*)"), Reason.NO_CONVERGENCE),
    (re.compile(r"^doAnalyses: (?P<what>.*[Mm]atrix is singular.*)"), Reason.SINGULAR_MATRIX),
    (re.compile(r"^Error: (?P<what>no data saved .*)"), Reason.MISSING_VECTOR),
    (re.compile(r"^Fatal error: (?P<what>.*)"), Reason.LOAD),
    (re.compile(r"^Error: (?P<what>circuit not parsed.*|there aren't any circuits loaded.*)"), Reason.LOAD),
    (re.compile(r"^(?P<what>run simulation\(s\) aborted|run simulation not started)"), Reason.NO_CONVERGENCE),
)

_TRANSIENT_OPERATING_POINT = re.compile(r"^(?:Note: )?Transient op (?:started|finished)")
_TRANSIENT_OPERATING_POINT_ENDED = re.compile(r"^(?:Note: )?Transient op finished")
_DOUBTFUL_PIVOT = re.compile(r"^(?:Warning: |Note: )?(?P<what>.*\bpivot\b.*)", re.IGNORECASE)

Finding = tuple[Reason, str]


def load_failure(lines: list[str]) -> Finding | None:
    """The most telling failure in what ngspice wrote while it read a deck, with its own words."""
    finding = _first(_LOAD_FAILURES, _with_their_cards(lines))
    if finding is None or finding[0] is not Reason.UNKNOWN_MODEL:
        return finding
    reason, card = finding
    refused = _refused_models(lines)
    why = [refused[word] for word in card.lower().split() if word in refused]
    return reason, ": ".join([card, *why[:1]])


def run_failure(lines: list[str]) -> Finding | None:
    """The most telling failure in what ngspice wrote while it ran; what fails to converge on a singular matrix is singular."""
    finding = _first(_RUN_FAILURES, lines)
    if finding is None or finding[0] is not Reason.NO_CONVERGENCE:
        return finding
    singular = _last_singular(lines)
    return (Reason.SINGULAR_MATRIX, singular) if singular else finding


def doubtful_solution(lines: list[str], settled: bool = False) -> Finding | None:
    """Why a run that ended well is no result all the same.

    Where stepping gmin and the sources both fail, ngspice starts from a pseudo-transient in which slow nodes have not settled:
    currents that are not there flow for the whole run. A singular matrix on the way names the node that nothing holds.

    `settled`: it was told to let the circuit settle; it has if the pseudo-transient came to its end.
    """
    singular = _last_singular(lines)
    if singular:
        return Reason.SINGULAR_MATRIX, singular
    if pivot := next((match["what"].strip() for line in lines if (match := _DOUBTFUL_PIVOT.match(line))), None):
        return Reason.SINGULAR_MATRIX, pivot
    if settled and not fallbacks(lines):
        return Reason.OPERATING_POINT, "none of ngspice's ways led to one, nor did the circuit settle"
    if not settled and any(_TRANSIENT_OPERATING_POINT.match(line) for line in lines):
        return (
            Reason.OPERATING_POINT,
            "neither gmin nor source stepping led to one, and that of a pseudo-transient has not settled",
        )
    return None


def spoils(lines: list[str]) -> bool:
    """Whether ngspice was told something that it forgets in no later deck: `interp` holds until its process ends."""
    return any(line.startswith("Warning: Interpolated raw file data!") for line in lines)


def fallbacks(lines: list[str]) -> int:
    """How many times ngspice gave up on an operating point and went on from a pseudo-transient."""
    return sum(bool(_TRANSIENT_OPERATING_POINT_ENDED.match(line)) for line in lines)


def _refused_models(lines: list[str]) -> dict[str, str]:
    """Models that this ngspice does not have, by name, with what it says of them; it goes on until a device asks for one."""
    cards = [line.lower().split() for line in lines]
    return {
        cards[number + 1][1]: lines[number + 2].removesuffix(" - ignored").strip()
        for number in range(len(lines) - 2)
        if lines[number].startswith("Warning: Model issue on line") and cards[number + 1][:1] == [".model"]
    }


def _with_their_cards(lines: list[str]) -> list[str]:
    """ngspice says "Error on line N or its substitute:", then the card, then what is wrong with it: one line of the three."""
    return [
        f"{line} {': '.join(' '.join(part.split()) for part in lines[number + 1 : number + 3])}"
        if line.startswith("Error on line")
        else line
        for number, line in enumerate(lines)
    ]


def _first(patterns: tuple[tuple[re.Pattern[str], Reason], ...], lines: list[str]) -> Finding | None:
    for pattern, reason in patterns:
        for line in lines:
            if match := pattern.match(line):
                return reason, (match["what"].strip() or line.strip())
    return None


def _last_singular(lines: list[str]) -> str | None:
    found = [line for line in lines if "singular matrix:" in line]
    return found[-1].partition("singular matrix:")[2].strip() if found else None
