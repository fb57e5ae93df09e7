"""Hooks, registries and loading of plugins."""
