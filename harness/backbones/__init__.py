"""Networks that methods train, and their cards."""
