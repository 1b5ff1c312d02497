"""The names of `nucleate.request` under their address in earlier versions, for scripts that import them
here."""

from nucleate.request.parse import parse_request
from nucleate.request.request import Request, read_request

__all__ = ["Request", "parse_request", "read_request"]
