"""Runs the steps of one golden run in the current folder: drive.py STEPS RESULTS FIRST.

STEPS is a JSON list. A step is a command line of `nucleate` without its first word, or Python code after "py:". Steps
run one after the other in this process, which saves the seconds that imports take. What a step prints goes to
RESULTS/NN.out and RESULTS/NN.err; its exit code and time become a line of RESULTS/steps.jsonl. A step that kills this
process leaves no line, and whoever started it starts it again at the following step.
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import shlex
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def kill_when(path: str, words: str, count: int) -> None:
    """Kill this process group (-9) as soon as `words` stand `count` times in the files whose names begin with path."""

    def watch() -> None:
        folder, name = Path(path).parent, Path(path).name
        while True:
            found = 0
            for file in folder.glob(f"{name}*"):
                with contextlib.suppress(OSError):
                    found += file.read_bytes().count(words.encode())
            if found >= count:
                os.killpg(os.getpgrp(), signal.SIGKILL)
            time.sleep(0.003)

    threading.Thread(target=watch, daemon=True).start()


def answer_with(content: str) -> None:
    """Start an OpenAI-compatible server that gives this answer to everything; its address is $LLM in later steps."""
    usage = {"prompt_tokens": 100, "completion_tokens": 20}
    text = json.dumps({"choices": [{"message": {"content": content}}], "usage": usage})

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["LLM"] = f"http://127.0.0.1:{server.server_address[1]}/v1"


@contextlib.contextmanager
def written_to(out: Path, err: Path) -> Iterator[None]:
    """Standard output and error, also of processes that are started meanwhile, go to these files."""
    kept = [os.dup(1), os.dup(2)]
    sys.stdout.flush(), sys.stderr.flush()
    for number, path in ((1, out), (2, err)):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, number)
        os.close(handle)
    try:
        yield
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        for number, handle in zip((1, 2), kept, strict=True):
            os.dup2(handle, number)
            os.close(handle)


def do(step: str, names: dict[str, Any]) -> int | str:
    """The exit code, or the name of an exception that no command should let through."""
    try:
        if step.startswith("py:"):
            exec(compile(step[3:], "<step>", "exec"), names)
        else:
            sys.argv = ["nucleate", *shlex.split(os.path.expandvars(step))]
            runpy.run_module("nucleate", run_name="__main__", alter_sys=True)
    except SystemExit as error:
        return error.code if isinstance(error.code, int | str) else 0
    except BaseException as error:
        traceback.print_exc()
        return type(error).__name__
    return 0


def main() -> None:
    steps, results, first = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]), int(sys.argv[3])
    sys.argv[1:] = []
    names: dict[str, Any] = {"kill_when": kill_when, "answer_with": answer_with}
    for number in range(first, len(steps)):
        began = time.monotonic()
        with written_to(results / f"{number:02d}.out", results / f"{number:02d}.err"):
            code = do(steps[number], names)
        line = {"number": number, "step": steps[number], "code": code, "seconds": time.monotonic() - began}
        with (results / "steps.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")


if __name__ == "__main__":  # processes that steps start import this module again
    main()
