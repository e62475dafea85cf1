"""What data sets there are; read without torch and without any of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

SetName = Literal["iris", "wine", "digits", "mnist", "fashion-mnist", "cifar-10"]
SETS: tuple[str, ...] = get_args(SetName)

FEATURES = {"iris": 4, "wine": 13, "digits": 64, "mnist": 784, "fashion-mnist": 784, "cifar-10": 3072}
"""Inputs of a sample, without a bias spike."""


def network_sizes(dataset: str, features: Sequence[str] | None, bias: bool, layers: Sequence[int]) -> tuple[int, ...]:
    """Lines from the inputs to the outputs of a network, such as (5, 5, 5).

    Args:
        dataset: one of `SETS`, or any word where `features` says what the inputs are.
        features: columns of a table.
        bias: whether there is one more input.
        layers: neurons of each layer, the outputs last.
    """
    inputs = FEATURES[dataset] if features is None else len(features)
    return (inputs + bias, *layers)
