"""What is known of each standard protocol, one file each, without importing it."""
