"""The built-in data sets, and what any data set is made of."""
