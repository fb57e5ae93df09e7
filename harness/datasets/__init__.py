"""Built-in data sets, and the splits that they are made of."""
