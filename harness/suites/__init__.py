"""Suite files and published references, as validated data."""
