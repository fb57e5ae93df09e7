"""Mid-level video representation by iterative clustering of local volumes."""
