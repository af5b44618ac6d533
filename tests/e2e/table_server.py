"""A server on this machine that answers from a table, so that it can be told to misbehave."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class TableServer(ThreadingHTTPServer):
    """Serves self.pages: path -> function(handler), or bytes; self.asked has every request as
    (command, path, headers)."""

    daemon_threads = True
    content_type = "application/octet-stream"

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages, self.asked = {}, []
        self.host = f"127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01},
                         daemon=True).start()

    def page(self, command, path):
        """What is answered with; None for 404."""
        return self.pages.get(path)

    def stop_after(self, test):
        test.addCleanup(self.server_close)
        test.addCleanup(self.shutdown)
        return self

    def handle_error(self, request, client_address):
        pass  # a client that leaves


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        headers.setdefault("Content_Length", len(body))
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        page = self.server.page(self.command, self.path.split("?")[0])
        if page is None:
            self.answer(404)
        elif callable(page):
            page(self)
        else:
            self.answer(200, page, Content_Type=self.server.content_type)

    do_HEAD = do_POST = do_PUT = do_GET
