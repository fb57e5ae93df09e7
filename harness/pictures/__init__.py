"""Contact sheets of frames."""
