"""Every path that computes on a GPU, its answer asserted, beside a peer: `python -m benchmarks.gpu`."""
