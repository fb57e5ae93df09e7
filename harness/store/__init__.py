"""Runs, features and encoders on disk."""
