"""Density-functional theory as the last stage: separate processes that may be slow, crash or talk nonsense."""
