"""Bridges to other benchmarks: encoders there, their models here, results."""
