"""Requests: reading what the user asks for, in options and in plain words."""
