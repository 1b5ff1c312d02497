"""HTTP servers of this process, for a test: an OpenAI-compatible endpoint, MediaWiki's API."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse


class LocalServer:
    """Answers by `reply(handler) -> (status, text)`, from a port that is free, while it is entered."""

    path = ""

    def __init__(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                status, text = outer.reply(self)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}{self.path}"

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()


class LanguageServer(LocalServer):
    """A language model that gives `answers` one after the other, the last one again and again; keeps the questions."""

    path = "/v1"

    def __init__(self, *answers, status=200, delay=0.0, refuses=(), key=""):
        super().__init__()
        self.questions, self.headers, self.left = [], [], list(answers)
        self.status, self.delay, self.refuses, self.key = status, delay, refuses, key

    def reply(self, handler):
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        self.questions.append(body)
        self.headers.append(handler.headers.get("Authorization"))
        time.sleep(self.delay)
        text = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        if body.get("response_format", {}).get("type") in self.refuses:
            return 400, "unknown response_format"
        if self.key and self.headers[-1] != f"Bearer {self.key}":
            return 401, "no"
        if text.startswith("RAW"):
            return self.status, text[3:]
        usage = {"prompt_tokens": 100, "completion_tokens": 20}
        return self.status, json.dumps({"choices": [{"message": {"content": text}}], "usage": usage})


class Encyclopedia(LocalServer):
    """MediaWiki's API with two articles, whatever is asked; keeps what was asked, and by whom."""

    path = "/w/api.php"

    def __init__(self, text="Elpasolite is a mineral.", status=200, payload=None):
        super().__init__()
        self.asked, self.agents, self.status = [], [], status
        pages = [
            {"index": 2, "title": "Other", "extract": "Second.", "fullurl": "http://wiki/Other"},
            {"index": 1, "title": "Elpasolite", "extract": text, "fullurl": "http://wiki/Elpasolite"},
        ]
        self.content = json.dumps({"query": {"pages": pages}}) if payload is None else payload

    def reply(self, handler):
        self.asked.append(parse_qs(urlparse(handler.path).query))
        self.agents.append(handler.headers["User-Agent"])
        return self.status, self.content
