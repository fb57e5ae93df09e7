"""Built-in methods: the two references."""
