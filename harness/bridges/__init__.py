"""Bridges to other benchmarks: our encoders there, our results in their format."""
