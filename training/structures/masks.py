"""Masks of connectivity, sign and magnitude over one score a link: reusable wirings, tickets, partially frozen tickets.

Weight = unit * C * S * M. What is learnt of the three follows from the score x (our rule): S is its sign, M is 1 + the number of
thresholds that its size passes, C the share of the links whose scores are largest. What is not learnt is drawn once by a seed,
and a score is judged along its sign: x S. The thresholds lie half way between the coats, (m + 1/2) units; the unit follows the
spread of the scores.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.structures import wiring
from training.structures.code import Field, LayerCode
from training.structures.packing import bits_for
from training.structures.structure import Span, Structure
from training.structures.wiring import Links, WiringError, draws

WIRING, SIGN, COATS, FROZEN = range(4)
"""What is drawn of a layer, in the order of the streams."""


@lru_cache(maxsize=64)
def best_unit(coats: int, *, or_none: bool = False) -> float:
    """Distance of the coats over the rms of normal scores, for the least square error (Max 1960); `or_none`: 0 coats too."""
    probability = (np.arange(4096) + 0.5) / 4096
    from scipy.special import ndtri

    sizes = np.abs(ndtri(probability))
    units = np.linspace(0.05, 3.0, 600)
    coat = np.clip(np.rint(sizes[None] / units[:, None]), 0 if or_none else 1, coats)
    return float(units[((sizes - units[:, None] * coat) ** 2).mean(1).argmin()])


@dataclass(frozen=True)
class Rule:
    """What decides a layer of masks but its scores; see `training.structures.plan.MasksPlan`.

    `number` is that of the layer, whose draws are its own.
    """

    learn: str
    coats: int
    links: float
    wiring: str
    group: int
    pruned: float
    locked: float
    seed: int
    number: int


def wired(rule: Rule, shape: tuple[int, ...], file: str = "") -> Links:
    """The links of a layer [out, in, ...] whose connectivity is not learnt. Raises `WiringError`."""
    if rule.wiring == "file":
        return wiring.read_wiring(Path(file), rule.number, shape)
    outputs, inputs, draw = shape[0], int(np.prod(shape[1:])), draws(rule.seed, rule.number, WIRING)
    if rule.wiring == "n_of_m":
        return wiring.n_of_m(outputs, inputs, rule.links, rule.group, draw).reshape(shape)
    make = {"regular": wiring.regular, "random": wiring.random}[rule.wiring]
    return make(outputs, inputs, rule.links, draw).reshape(shape)


class Masks(Structure):
    """Masks over one score a link.

    Args:
        links: where connectivity is not learnt, which crossings have a device.
    """

    kind: ClassVar = "masks"
    _sign: Tensor | None
    _coats: Tensor | None
    _searched: Tensor | None
    _locked: Tensor | None
    _settled: Tensor | None
    """Links whose score decides nothing: locked ones, where sign and magnitude are drawn. None: there are none."""

    def __init__(self, shape: tuple[int, ...], span: Span, rule: Rule, links: Links | None = None) -> None:
        super().__init__(shape, span, None if links is None else torch.from_numpy(links))
        self.rule = rule
        drawn = _drawn(rule, self.shape)
        for name in ("sign", "coats", "searched", "locked"):
            self.register_buffer(f"_{name}", drawn.get(name), persistent=False)
        decides = "S" in rule.learn or ("M" in rule.learn and rule.coats > 1)
        settled = drawn["locked"] if rule.locked and not decides else None
        self.register_buffer("_settled", settled, persistent=False)
        self.thresholds_per_rms = best_unit(rule.coats)

    def forward(self, stored: Tensor) -> Tensor:
        """The weights; one that its score does not decide has its true gradient, that of the unit."""
        if self._settled is None:
            return super().forward(stored)
        there, sign, coats, unit = self._masks(stored)
        masks = there * sign * coats
        through = (masks * unit).detach() + (stored - stored.detach())
        return torch.where(self._settled, masks * unit, through)

    def held(self, stored: Tensor) -> Tensor:
        there, sign, coats, unit = self._masks(stored)
        return there * sign * coats * unit

    def _masks(self, stored: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """C, S and M, shaped as the weight, and the unit."""
        sign = _sign_of(stored) if self._sign is None else self._sign.to(stored)
        along = stored * sign
        there = self._linked(along)
        deciding = torch.ones_like(there) if self._settled is None else ~self._settled
        within = there & deciding
        within = within if bool(within.any()) else deciding
        rms = stored[within].square().mean().sqrt()
        if self._coats is not None:
            drawn = self._coats.to(stored)
            unit = (rms / drawn[within].square().mean().sqrt()).clamp(*self._units)
            return there.to(stored), sign, drawn, unit
        unit = (self.thresholds_per_rms * rms).clamp(*self._units)
        # 1 + how many of the thresholds 1.5, 2.5, ... units the size passes
        coats = (along / unit).add(0.5).floor().clamp(1, self.rule.coats)
        return there.to(stored), sign, coats, unit

    @property
    def _units(self) -> tuple[float, float]:
        """Between which the unit lies, so that every coat is one that the cell can do."""
        return self.span.smallest, max(self.span.largest / self.rule.coats, self.span.smallest)

    def _linked(self, along: Tensor) -> Tensor:
        if self.links is not None:
            return self.links
        assert self._searched is not None and self._locked is not None
        wanted = round(self.rule.links * along.numel()) - int(self._locked.sum())
        chosen = self._locked.clone()
        places = self._searched.reshape(-1).nonzero()[:, 0]
        best = along.reshape(-1)[places].topk(max(min(wanted, len(places)), 0)).indices
        chosen.view(-1)[places[best]] = True
        return chosen

    def code(self, stored: Tensor) -> LayerCode:
        there, sign, coats, unit = self._masks(stored)
        linked = there.bool()
        fields, learn = {}, self.rule.learn
        if "C" in learn:
            assert self._searched is not None
            fields["link"] = Field(linked[self._searched].numpy().astype(np.uint8), 1)
        if "S" in learn:
            fields["sign"] = Field((sign[linked] < 0).numpy().astype(np.uint8), 1)
        if "M" in learn and self.rule.coats > 1:
            fields["coat"] = Field(coats[linked].numpy().astype(np.uint8) - 1, bits_for(self.rule.coats))
        told = {**asdict(self.rule), "wiring_digest": "" if self.links is None else wiring.digest(self.links.numpy())}
        if self.links is not None and self.rule.wiring == "file":
            fields["wiring"] = Field(self.links.numpy().reshape(-1).astype(np.uint8), 1)
        return LayerCode(
            self.kind, self.shape, told, seeds=_seeds(self.rule), fields=fields,
            reals={"unit": unit.float().numpy().reshape(1), **_thresholds(self.rule, unit)},
        )  # fmt: skip

    @classmethod
    def decoded(cls, code: LayerCode) -> NDArray[np.float32]:
        told = dict(code.rule)
        digest = told.pop("wiring_digest")
        rule = Rule(**told)
        drawn = {name: one.numpy() for name, one in _drawn(rule, code.shape).items()}
        there = _there(rule, code, drawn)
        if digest and wiring.digest(there) != digest:
            raise ValueError("wiring: is not the one that the code was made with")
        coats, count = np.ones(code.shape, np.float32), int(there.sum())
        sign = drawn["sign"].astype(np.float32) if "sign" in drawn else _scattered(there, 1.0 - 2.0 * _of(code, "sign", count))
        if "coats" in drawn:
            coats = drawn["coats"].astype(np.float32)
        elif rule.coats > 1:
            coats = _scattered(there, _of(code, "coat", count) + 1.0)
        return there.astype(np.float32) * sign * coats * code.reals["unit"]


def _drawn(rule: Rule, shape: tuple[int, ...]) -> dict[str, Tensor]:
    """What is not learnt, or not searched."""
    found: dict[str, Tensor] = {}
    if "S" not in rule.learn:
        found["sign"] = torch.from_numpy(np.where(draws(rule.seed, rule.number, SIGN).random(shape) < 0.5, -1, 1).astype(np.int8))
    if "M" not in rule.learn:
        coats = 1 + np.floor(rule.coats * draws(rule.seed, rule.number, COATS).random(shape))
        found["coats"] = torch.from_numpy(coats.astype(np.uint8))
    if "C" in rule.learn:
        order = np.argsort(draws(rule.seed, rule.number, FROZEN).random(int(np.prod(shape))))
        pruned, locked = (round(share * len(order)) for share in (rule.pruned, rule.locked))
        searched, kept = np.ones(len(order), bool), np.zeros(len(order), bool)
        searched[order[: pruned + locked]] = False
        kept[order[pruned : pruned + locked]] = True
        found |= {"searched": torch.from_numpy(searched.reshape(shape)), "locked": torch.from_numpy(kept.reshape(shape))}
    return found


def _there(rule: Rule, code: LayerCode, drawn: dict[str, NDArray[np.generic]]) -> Links:
    if "C" in rule.learn:
        searched = drawn["searched"].astype(bool)
        return drawn["locked"].astype(bool) | (_scattered(searched, _of(code, "link", int(searched.sum()))) > 0)
    if rule.wiring == "file":
        return _of(code, "wiring", code.weights).reshape(code.shape).astype(bool)
    try:
        return wired(rule, code.shape)
    except (WiringError, KeyError) as error:
        raise ValueError(f"wiring: {error}") from error


def _of(code: LayerCode, name: str, count: int) -> NDArray[np.float32]:
    if name not in code.fields or code.fields[name].values.size != count:
        raise ValueError(f"{name}: has not the {count} numbers that its links need")
    return code.fields[name].values.astype(np.float32)


def _scattered(places: Links, values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Values in the places that are true, in their order; 0 elsewhere."""
    found = np.zeros(places.shape, np.float32)
    found[places] = values
    return found


def _sign_of(stored: Tensor) -> Tensor:
    """+1 or -1: a score of 0 is positive."""
    return torch.where(stored < 0, -1.0, 1.0).to(stored)


def _thresholds(rule: Rule, unit: Tensor) -> dict[str, NDArray[np.float32]]:
    """On the score, where the coats are learnt and there are several."""
    if "M" not in rule.learn or rule.coats == 1:
        return {}
    return {"threshold": ((np.arange(1, rule.coats) + 0.5) * float(unit)).astype(np.float32)}


def _seeds(rule: Rule) -> int:
    """One decides all that is drawn of a network."""
    fixed = "S" not in rule.learn or ("M" not in rule.learn and rule.coats > 1) or bool(rule.pruned or rule.locked)
    return int(fixed or ("C" not in rule.learn and rule.wiring != "file"))
