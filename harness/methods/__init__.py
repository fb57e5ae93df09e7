"""Built-in methods: the two references, and weights that were learnt elsewhere."""
