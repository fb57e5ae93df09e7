"""Two-dimensional embeddings of features, for people to look at."""
