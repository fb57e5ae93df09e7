"""Embedded data set: recorded human motion, drawn as videos in UCF101's layout."""
