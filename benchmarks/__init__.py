"""Every claim about speed, memory or error, measured: `python -m benchmarks NAME [--json]`."""
