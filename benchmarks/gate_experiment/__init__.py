"""Experiment: how often a gate sounds for nothing, and how often it finds what was made slower."""
