"""What benchmarks that time single steps have in common."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def timed(what: str, n: int, work: Callable[[], Any]) -> Any:
    """The result of `work`, with a printed line that says what each of its n parts cost in CPU time."""
    began = time.process_time()
    result = work()
    print(f"{what}: {1000 * (time.process_time() - began) / n:.3g} ms each", flush=True)
    return result
