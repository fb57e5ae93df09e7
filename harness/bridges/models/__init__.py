"""Models of MTEB as methods of a suite."""
