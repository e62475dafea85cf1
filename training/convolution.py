"""RC-Spike neurons behind a convolution."""

from __future__ import annotations

from typing import Any

from training.hardware import NormalisedModel
from training.layer import RCSpikeLayer
from training.solvers.connection import Convolution


class RCSpikeConvolution(RCSpikeLayer):
    """`outputs` neurons at every position of a window that slides over an image of spike times.

    Takes [batch, channels, height, width] and gives [batch, outputs, height', width']; weights are [outputs, channels, kernel,
    kernel] and are the same at every position. Beyond the border no spike ever comes.

    Args:
        channels, outputs: of the image that comes in and of the one that goes out.
        model: the neuron equation's numbers.
        kernel: height and width of the window.
        stride, padding: of the window, in pixels.
        options: keyword arguments of `RCSpikeLayer`.
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        model: NormalisedModel,
        kernel: int = 3,
        *,
        stride: int = 1,
        padding: int = 0,
        **options: Any,
    ) -> None:
        connection = Convolution(stride, padding)
        super().__init__(channels, outputs, model, connection=connection, kernel=(kernel, kernel), **options)
