"""The names of `nucleate.request.request` under their address in earlier versions, for scripts that import them
here."""

from nucleate.request.request import Request, parse_request, read_request

__all__ = ["Request", "parse_request", "read_request"]
