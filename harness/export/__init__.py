"""Encoders that leave the store, with a model card and an example."""
