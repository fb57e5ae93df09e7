"""Pose estimation: joints in still frames, scored by PCP and PDJ."""
