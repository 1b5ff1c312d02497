"""Stages from a request to ranked candidates."""
