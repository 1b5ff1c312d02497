"""Ideal denoisers and contract tests, for nucleate's own tests and for packages that add a process or a generator."""
