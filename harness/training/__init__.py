"""Training loop, checkpoints and the base class of gradient methods."""
