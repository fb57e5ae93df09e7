"""Time that each stage of reading and encoding a clip takes."""
