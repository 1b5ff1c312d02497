"""Metrics: how well generated crystals answer what was asked."""
