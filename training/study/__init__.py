"""Studies: trainings over a grid of settings, and what the solvers cost and miss, as tables."""
