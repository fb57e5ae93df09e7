"""Files, processes, progress, seeds and hashes."""
