"""Weights that fit the hardware: what a layer may hold, as a parametrisation of it, with its code and what that costs."""
