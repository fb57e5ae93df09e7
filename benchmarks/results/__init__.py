"""Both sides of every row of the speed survey, each in a process of its own: `python -m benchmarks.results`."""
