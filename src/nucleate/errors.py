"""The one exception users meet: a single line that says what was wrong and what would be right."""


class NucleateError(Exception):
    """Bad input or a missing resource; the command line prints it on one line and exits with 2."""
