"""The gold path: the same checks, comparison and extraction by magic and netgen, where they and their PDK can be had."""

from layouts.gold.tools import GoldTools, found_tools

__all__ = ["GoldTools", "found_tools"]
