"""Maps of an encoder's features, for people to look at."""
