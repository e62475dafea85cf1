"""The page of a report and its style. A package of its own: who takes published values from this room depends on no page."""
