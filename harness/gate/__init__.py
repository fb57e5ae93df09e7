"""Compare two versions of a package by the benchmarks and scores of both."""
