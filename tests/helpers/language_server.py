"""An OpenAI-compatible endpoint that answers what a test wants."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class LanguageServer:
    """An endpoint that gives `answers` one after the other, the last one again and again, and keeps the questions."""

    def __init__(self, *answers, status=200, delay=0.0, refuses=(), key=""):
        self.questions, self.headers = [], []
        outer, left = self, list(answers)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.questions.append(body)
                outer.headers.append(self.headers.get("Authorization"))
                time.sleep(delay)
                code, text = status, left.pop(0) if len(left) > 1 else left[0]
                if body.get("response_format", {}).get("type") in refuses:
                    code, payload = 400, "unknown response_format"
                elif key and outer.headers[-1] != f"Bearer {key}":
                    code, payload = 401, "no"
                elif text.startswith("RAW"):
                    payload = text[3:]
                else:
                    usage = {"prompt_tokens": 100, "completion_tokens": 20}
                    payload = json.dumps({"choices": [{"message": {"content": text}}], "usage": usage})
                self.send_response(code)
                self.end_headers()
                self.wfile.write(payload.encode())

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()
