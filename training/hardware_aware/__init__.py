"""Training that expects the hardware: noise, mismatch, gains, and all methods side by side."""
