"""Whether the models of the package nucleate-papers can be used here, for the tests that use them."""

import pytest

from nucleate.train.shipped import papers_entry

reason = "the package nucleate-papers is not installed; run: pip install -e packages/papers"
needs_papers = pytest.mark.skipif(papers_entry() is None, reason=reason)


def of_papers(*names):
    """These names of models of nucleate-papers as values of a parameter; they are skipped where it is not there."""
    return [pytest.param(name, marks=needs_papers) for name in names]
