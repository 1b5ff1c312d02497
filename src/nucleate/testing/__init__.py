"""Ideal denoisers and contracts: what the package's own tests use, for those who add a process or a generator."""
