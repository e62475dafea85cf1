"""Decks as people, scripts and converters leave them: a deck with one to three things in it changed at random.

Each kind of change is a function of this module that takes the lines of a netlist and gives others; `KINDS` holds them with their
weights. What comes of it may be a deck that means the same, another deck, or none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from random import Random

from cosim.simulator import Deck

Lines = list[str]
_NUMBER = re.compile(r"(?<![\w.])[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[a-z]*(?![\w.(])", re.IGNORECASE)
_SUFFIXES = (
    "u", "k", "meg", "MEG", "Meg", "mil", "x", "a", "f", "F", "Ohm", "kohm", "uF", "V", "n5", "k5", "e", "e0", "e+1", "E-1", "d2",
    "_", "%", ".", ".0", ".5", "t", "T", "g", "M", "m", "P", "s", "e400", "e-400", "e2.5", "0", "00", "k_x", "umeg", "@", "#",
)  # fmt: skip
_OTHER_NUMBERS = (
    "0", "-1", "1.", ".5", "1e3", "+2", "1E+0", "1_0", "0x10", "1,5", "1.5.2", "--1", "+-1", "1e", "e3", "1e-3e2", "1/2",
    "2*3", "inf",
    "nan", "1k", "1K", "1meg", "5MEG", "5u", "5U", "3mil", "2a", "1e5k", "1 k", "1e+", "$5", "true", "false", "1e15", "1e-15",
)  # fmt: skip
_EXPRESSIONS = (
    "1+1", "2*{}", "{}*2", "{} * 1", "({})", "(({}))", "{}/2", "{}+0", "-{}", "-(-{})", "+{}", "{}**1", "{}^1", "2**-1*{}",
    "{}*-1", "{}%7",
    "sqrt({})", "abs(-{})", "max({},1)", "min({},{})", "pow({},1)", "pwr({},1)", "int({})", "nint({})", "floor({})", "ceil({})",
    "{}>1", "{}>=1 && {}<9", "!{}", "!0*{}", "1 ? {} : 2", "({} > 1) ? {} : 2", "ternary_fcn(1,{},2)", "exp(ln({}))", "log10({})",
    "log({})", "sgn({})*{}", "sqr({})", "{}mm", "nosuch*{}", "nosuch({})", "{},1", "{} {}", "{}+", "*{}", "({}", "{})",
    "temper/27*{}",
    "{}*1k/1k", "agauss({},0,1)", "gauss({},0,3)", "aunif({},0)", "atan({})", "arctan({})", "tanh({})", "sinh({})",
    "{}*1meg*1u", "{}=={}",
    "{}<>1", "{}!=1", "{}||0", "u({})", "stp({})", "uramp({})", "sin({})", "tan({})", "acos(1/{})", "var({})", "v(1)", "time",
    "defined({})",
)  # fmt: skip
_OPTIONS = (
    ".option scale=1u", ".option scale=0.9", ".options scale=1e-6", ".option reltol=1e-2", ".option gmin=1e-9",
    ".option temp=85", ".temp 85",
    ".option tnom=50", ".options tnom=50 temp=50", ".option defw=2u defl=1u", ".option noopiter", ".option nopage noacct",
    ".option klu",
    ".option seed=3", ".option method=gear", ".option rshunt=1e9", ".option abstol=1e-9", ".options itl1=500",
    ".option savecurrents",
    ".option parhier=local", ".option wnflag=1", ".option", ".option nosuch=1", ".option badmos3", ".width out=132",
    ".opt list node post",
    ".global in", ".global nowhere", ".nodeset v(n1)=0.5", ".ic v(n1)=1", ".save all", ".probe v(in)", ".print op v(in)",
    ".meas op x param='1+1'", ".csparam x=3", ".include nosuch.inc", ".lib nosuch.lib tt", ".ends", ".end", ".endif", ".else",
    ".subckt unused a",
    ".alter", ".data x", ".title other", ".protect", ".unprotect", ".del lib", ".connect in n1", ".four 1k v(in)",
    ".func f9(x) {x+1}",
    ".model unused d", ".model unused nmos level=1", ".model unused nosuch", ".param unused=1", ".param unused=nosuch", ".param",
    ".param 1x=3", ".param time=2", ".param temper=3", ".param vt=1 vt=2", ".param in=3", ".param m=2", ".param pi=3",
    ".param gnd=1",
)  # fmt: skip
_COMMENTS = (
    " ; said", ";said", " $ said", "$said", " $said", " // said", "//said", " * said", " ;", " $", " ;=3", " ; m=2", " $ m=2",
    " # said", " ** said",
    " *m=2", " \\\\", " \\", "  ", "\t",
)  # fmt: skip
_MULTIPLIERS = (
    "m=2", "m=1", "m=0", "m=-1", "m=3.5", "M=2", "m = 2", "m={1+1}", "m='3'", "m=\"2\"", "m=2 m=3", "m=1k", "m={nosuch}",
    "m=2*2", "m", "mult=2",
    "m=(2)", "m=1+1", "m={2} w=2", "nf=2", "m=pm", "m={pm}",
)  # fmt: skip
_GARBAGE = "{}'\"()=,;$*+-/\\.:#@_%!~&|^<>?[] 0aAzZ"


def mutated(deck: Deck, random: Random, most: int = 3) -> Deck:
    """The deck, its models among its cards, with one to so many changes."""
    lines = f"{deck.netlist}\n{deck.library}".strip("\n").splitlines()
    kinds, weights = zip(*KINDS.items(), strict=True)
    (count,) = random.choices(range(1, most + 1), [1 / k for k in range(1, most + 1)])
    for kind in random.choices(kinds, weights, k=count):
        lines = kind(lines or ["r0 in 0 1"], random)
    return replace(deck, netlist="\n".join(lines), library="")


def _place(lines: Lines, random: Random, wanted: Callable[[str], bool] = lambda line: True) -> int:
    """Of a line, those of the circuit more often than those of its models."""
    chosen = [number for number, line in enumerate(lines) if line.strip() and wanted(line)] or [0]
    return random.choices(chosen, [1 if line.startswith((".param", "+", "*")) else 5 for line in (lines[k] for k in chosen)])[0]


def _with(lines: Lines, place: int, *instead: str) -> Lines:
    return [*lines[:place], *instead, *lines[place + 1 :]]


def _word(lines: Lines, random: Random) -> tuple[int, list[str], int]:
    place = _place(lines, random)
    words = lines[place].split() or ["r9"]
    return place, words, random.randrange(len(words))


def swap_words(lines: Lines, random: Random) -> Lines:
    place, words, one = _word(lines, random)
    other = random.randrange(len(words))
    words[one], words[other] = words[other], words[one]
    return _with(lines, place, " ".join(words))


def delete_word(lines: Lines, random: Random) -> Lines:
    place, words, one = _word(lines, random)
    return _with(lines, place, " ".join([*words[:one], *words[one + 1 :]]))


def duplicate_word(lines: Lines, random: Random) -> Lines:
    place, words, one = _word(lines, random)
    return _with(lines, place, " ".join([*words[: one + 1], *words[one:]]))


def garble(lines: Lines, random: Random) -> Lines:
    """A letter more, less, or another."""
    place = _place(lines, random)
    line = lines[place]
    at, letter = random.randrange(len(line)), random.choice(_GARBAGE)
    return _with(
        lines,
        place,
        random.choice([line[:at] + letter + line[at:], line[:at] + line[at + 1 :], line[:at] + letter + line[at + 1 :]]),
    )


def _of_a_number(change: Callable[[str, Random], str]) -> Callable[[Lines, Random], Lines]:
    def changed(lines: Lines, random: Random) -> Lines:
        place = _place(lines, random, lambda line: _NUMBER.search(line) is not None)
        found = list(_NUMBER.finditer(lines[place]))
        if not found:
            return lines
        one, line = random.choice(found), lines[place]
        return _with(lines, place, line[: one.start()] + change(one[0], random) + line[one.end() :])

    return changed


def _expression(number: str, random: Random) -> str:
    text = random.choice(_EXPRESSIONS).replace("{}", number)
    return (
        random.choice(
            ["{%s}", "'%s'", '"%s"', "%s", "{ %s }", "{{%s}}", "{'%s'}", "(%s)", "'{%s}'", "{%s", "%s}"][: random.choice([3, 11])]
        )
        % text
    )


def parameter_instead(lines: Lines, random: Random) -> Lines:
    """A parameter in the place of a number, defined before it, behind it, in terms of another, or twice."""
    name = random.choice(["pnew", "PNew", "p_1", "vt", "w", "l", "in", "a", "n1", "temp", "r", "pm"])
    place = _place(lines, random, lambda line: _NUMBER.search(line) is not None)
    found = list(_NUMBER.finditer(lines[place]))
    if not found:
        return lines
    one, line = random.choice(found), lines[place]
    used = random.choice(["{%s}", "'%s'", "%s", "{%s*1}", "'%s+0'", "{ %s }"]) % random.choice([name, name.upper(), name])
    cards = random.choice([
        [f".param {name}={one[0]}"], [f".param {name} = {{{one[0]}}}"], [f".param {name}='{one[0]}' other={name}"],
        [f".param {name}=other", f".param other={one[0]}"], [f".param {name}=7", f".param {name}={one[0]}"],
        [f".PARAM {name}={one[0]}*1"],
        [f".param {name}={{other}}", f".param other={{{name}}}"], [f".param {name}={one[0]} {name}=3"], [],
    ])  # fmt: skip
    at = random.choice([0, len(lines), random.randrange(len(lines) + 1)])
    changed = _with(lines, place, line[: one.start()] + used + line[one.end() :])
    return [*changed[:at], *cards, *changed[at:]]


def change_case(lines: Lines, random: Random) -> Lines:
    place, words, one = _word(lines, random)
    if random.random() < 0.3:
        return _with(lines, place, lines[place].upper())
    words[one] = random.choice([words[one].upper(), words[one].swapcase(), words[one].title()])
    return _with(lines, place, " ".join(words))


def continue_line(lines: Lines, random: Random) -> Lines:
    """One line as several, with or without something between."""
    place = _place(lines, random, lambda line: len(line.split()) > 1)
    words = lines[place].split(" ")
    at = random.randrange(1, len(words)) if len(words) > 1 else 1
    between = random.choice([[], [], ["* said"], [""], ["+"], ["$ said"], ["  "], ["; said"]])
    mark = random.choice(["+ ", "+", "  + ", "+\t", "+ + ", "++ "])
    return _with(lines, place, " ".join(words[:at]), *between, mark + " ".join(words[at:]))


def join_lines(lines: Lines, random: Random) -> Lines:
    place = random.randrange(len(lines))
    return [*lines[:place], " ".join(lines[place : place + 2]), *lines[place + 2 :]]


def comment(lines: Lines, random: Random) -> Lines:
    place = _place(lines, random)
    line = lines[place]
    return _with(
        lines, place, random.choice([line + random.choice(_COMMENTS), f"{random.choice('*$;#')}{line}", f"* {line}", f" {line}"])
    )


def comment_inside(lines: Lines, random: Random) -> Lines:
    place, words, one = _word(lines, random)
    return _with(lines, place, " ".join([*words[: one + 1], random.choice(_COMMENTS).strip(), *words[one + 1 :]]))


def multiply(lines: Lines, random: Random) -> Lines:
    place = _place(lines, random, lambda line: line[0].isalpha())
    return _with(lines, place, f"{lines[place]} {random.choice(_MULTIPLIERS)}")


def nest(lines: Lines, random: Random) -> Lines:
    """A device in a sub-circuit of its own, defined at the top or where the device was, called with or without parameters."""
    place = _place(lines, random, lambda line: line[0].lower() in "rcvimdx" and len(line.split()) > 3)
    words = lines[place].split()
    if len(words) < 4:
        return lines
    pins = 4 if words[0][0].lower() == "m" else next((k for k, word in enumerate(words[1:]) if "=" in word), len(words) - 1) - 1
    nodes = words[1 : pins + 1] if words[0][0].lower() in "mx" else words[1:3]
    header, given = random.choice([
        ("", ""), ("", " m=2"), (" m=1", " m=2"), (" p1=1", " p1=2"), (" params: p1=1", ""), (" p1=1", " params: p1=3"),
        (" p1=1", " p2=3"),
        (" p1={p2} p2=1", " p2=2"), (" p1", ""), ("", " p1=1"), (" w=1 l=1", ""), (" p1=1 p1=2", " p1=3 p1=4"), (" m=2", ""),
        (" p1='1'", " p1={1+1}"),
    ])  # fmt: skip
    pin_names = random.choice([nodes, [f"pin{k}" for k in range(len(nodes))]])
    inner = " ".join([words[0], *pin_names, *words[len(nodes) + 1 :]])
    name = random.choice(["nested", "NESTED", "s0", "in", words[0], "n.1"])
    body = [
        f".subckt {name} {' '.join(pin_names)}{header}",
        inner,
        random.choice([".ends", ".ends", f".ends {name}", ".eom", ".ENDS other", ""]),
    ]
    call = f"x{words[0]} {' '.join(nodes)} {name.lower() if random.random() < 0.5 else name}{given}"
    at = random.choice([0, place, place])
    changed = _with(lines, place, call)
    return [*changed[:at], *body, *changed[at:]]


def repeat_line(lines: Lines, random: Random) -> Lines:
    place = _place(lines, random)
    return [*lines[:place], lines[place], *lines[place:]]


def delete_line(lines: Lines, random: Random) -> Lines:
    place = _place(lines, random)
    return _with(lines, place)


def move_line(lines: Lines, random: Random) -> Lines:
    place = _place(lines, random)
    rest = _with(lines, place)
    at = random.randrange(len(rest) + 1)
    return [*rest[:at], lines[place], *rest[at:]]


def shuffle_parameters(lines: Lines, random: Random) -> Lines:
    places = [number for number, line in enumerate(lines) if line.lower().startswith(".param")]
    order = random.sample(places, len(places))
    changed = list(lines)
    for place, other in zip(places, order, strict=True):
        changed[place] = lines[other]
    return changed


def bin_model(lines: Lines, random: Random) -> Lines:
    """A model as bins, which fit what uses it, overlap, or do not."""
    place = _place(lines, random, lambda line: line.lower().startswith(".model") and len(line.split()) > 2)
    words = lines[place].split()
    if len(words) < 3 or words[0].lower() != ".model":
        return lines
    number = random.choice(["1", "0", "9", "12"])
    edges = random.choice(
        ["lmin=1e-9 lmax=100 wmin=1e-9 wmax=100", "lmin=0 lmax=1 wmin=0 wmax=1", "lmin=5 lmax=9 wmin=5 wmax=9", "", "lmax=1u"]
    )
    one = " ".join([words[0], f"{words[1]}.{number}", *words[2:], edges])
    two = " ".join([words[0], f"{words[1]}.2", *words[2:], "lmin=100 lmax=200 wmin=100 wmax=200"])
    return _with(lines, place, *random.choice([[one], [one, two], [two, one], [lines[place], one]]))


def change_node(lines: Lines, random: Random) -> Lines:
    """A node that is missing, another, ground by another name, or a new one."""
    place = _place(lines, random, lambda line: line[0].isalpha() and len(line.split()) > 2)
    words = lines[place].split()
    if len(words) < 3:
        return lines
    at = random.choice([1, 2])
    words[at : at + 1] = random.choice(
        [[], [words[3 - at]], ["0"], ["gnd"], ["GND"], ["00"], ["gnd!"], ["new"], ["n1"], ["0", "0"], [words[at].upper()], ["1"]]
    )
    return _with(lines, place, " ".join(words))


def add_card(lines: Lines, random: Random) -> Lines:
    at = random.choice([0, len(lines), random.randrange(len(lines) + 1)])
    return [*lines[:at], random.choice(_OPTIONS), *lines[at:]]


def conditional(lines: Lines, random: Random) -> Lines:
    """A line inside .if."""
    place = _place(lines, random, lambda line: line[0].isalpha())
    test = random.choice(["1", "0", "1==1", "nosuch", "2>1", "{1}", "pnew"])
    otherwise = random.choice([[], [".else", "r99 in 0 1k"], [".elseif (1)", "r99 in 0 2k"]])
    return _with(lines, place, f".if ({test})", lines[place], *otherwise, random.choice([".endif", ".endif", ".ENDIF", ""]))


def function(lines: Lines, random: Random) -> Lines:
    """A number by a function of the deck's own."""
    head, call = random.choice([
        (".func fn(x) {x*1}", "fn(%s)"), (".func fn(x,y) 'x+y'", "fn(%s,0)"), (".func fn(x) = {x}", "fn(%s)"),
        (".param fn(x)='x*1'", "fn(%s)"),
        (".func fn() {2}", "fn()*%s"), (".func sqr2(x) {x*x}", "sqr2(%s)"), (".func abs(x) {x*9}", "abs(%s)"),
        (".func fn(x) {fn(x)}", "fn(%s)"),
        (".func FN(X) {X+0}", "fn(%s)"), (".func fn(x) {v(in)*x}", "fn(%s)"),
    ])  # fmt: skip
    changed = _of_a_number(lambda number, random: random.choice(["{%s}", "'%s'", "%s"]) % (call % number))(lines, random)
    at = random.choice([0, len(changed), random.randrange(len(changed) + 1)])
    return [*changed[:at], head, *changed[at:]]


def space(lines: Lines, random: Random) -> Lines:
    """Blanks and tabs around signs, or none."""
    place = _place(lines, random)
    line = lines[place]
    return _with(lines, place, random.choice([
        line.replace("=", " = "), line.replace("=", "= "), line.replace(" ", "\t"), line.replace(" ", "  "), line.replace("=",
        " "), f"\t{line}",
        line.replace(" = ", "="), line.replace(",", " "), line.replace(" ", ",", 1), line.replace("*", " * "), f"{line}\t ",
        line.replace("(", " ( "),
    ]))  # fmt: skip


def mark(lines: Lines, random: Random) -> Lines:
    """A brace or a quote more, less, or of another kind."""
    place = _place(lines, random, lambda line: re.search(r"[{}'\"]", line) is not None)
    line = lines[place]
    marks = [match.start() for match in re.finditer(r"[{}'\"()]", line)] or [len(line) - 1]
    at = random.choice(marks)
    return _with(lines, place, random.choice([
        line[:at] + line[at + 1 :], line[:at] + random.choice("{}'\"()") + line[at:],
        line[:at] + random.choice("{}'\"()") + line[at + 1 :],
        line.replace("{", "'").replace("}", "'"), line.replace("'", '"'), re.sub(r"[{}'\"]", "", line), line.replace("'", "{",
        1).replace("'", "}", 1),
        line.replace("{", "{(").replace("}", ")}"), line.replace("{", "{ ").replace("}", " }"),
    ]))  # fmt: skip


KINDS: dict[Callable[[Lines, Random], Lines], float] = {
    swap_words: 1, delete_word: 1, duplicate_word: 1, garble: 2, parameter_instead: 3, change_case: 1, continue_line: 1.5,
    join_lines: 0.3,
    comment: 1, comment_inside: 0.7, multiply: 1.5, nest: 2, repeat_line: 0.5, delete_line: 0.7, move_line: 1.5,
    shuffle_parameters: 1,
    bin_model: 1, change_node: 1, add_card: 2, conditional: 0.7, function: 0.7, space: 1, mark: 1.5,
    _of_a_number(lambda number, random: number + random.choice(_SUFFIXES)): 2,
    _of_a_number(lambda number, random: random.choice(_OTHER_NUMBERS)): 1.5,
    _of_a_number(_expression): 4,
}  # fmt: skip
