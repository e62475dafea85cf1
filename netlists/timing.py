"""The timing of the phases: what a design says of it."""

from __future__ import annotations

from pydantic import Field, model_validator

from netlists.section import Second, Section


class Timing(Section):
    """Three phases of one length (reset, accumulation, firing); the layers run one phase apart."""

    phase_s: float = Field(default=1e-6, ge=1e-9, le=1e-2)
    edge_s: Second = Field(default=1e-9, description="rise and fall time of control and input lines")

    @model_validator(mode="after")
    def _edges_fit(self) -> Timing:
        if self.edge_s > self.phase_s / 50:
            raise ValueError("edge_s must be at most a fiftieth of phase_s")
        return self
