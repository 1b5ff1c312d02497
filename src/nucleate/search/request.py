"""Requests are read by `nucleate.request`; earlier versions had them here, and scripts of users ask here still."""

from nucleate.request.request import Request, parse_request, read_request

__all__ = ["Request", "parse_request", "read_request"]
