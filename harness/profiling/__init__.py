"""Time that each stage of reading a clip takes."""
