"""Model libraries of any process: found, read, and pruned to what a circuit uses."""
