"""Encoders made of networks, and frozen encoders."""
