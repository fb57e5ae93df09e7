"""Suite files: what to run, as validated data, and the plan of cells that follows from it."""
