"""A registry that answers from a table, so that it can be told to misbehave."""

import hashlib
import json

from table_server import TableServer
from stores import StoreTest

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PATCH = "application/vnd.llmpatch.patch.v1"


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class FakeRegistry(TableServer):
    """self.take, where there is one, is the function(handler) for all that is uploaded."""

    content_type = MANIFEST
    take = None

    def page(self, command, path):
        return self.take if self.take and command in ("POST", "PUT") else super().page(command, path)


class Fallback(dict):
    """Pages, and one for every other path that begins so."""

    def __init__(self, pages, beginning, page):
        super().__init__(pages)
        self.beginning, self.page = beginning, page

    def get(self, path, default=None):
        return super().get(path, self.page if path.startswith(self.beginning) else default)


class RegistryTest(StoreTest):
    """A test with such a registry: self.registry has the release self.patch at tester:1."""

    def setUp(self):
        super().setUp()
        self.patch = self.release()
        self.registry = self.start_registry()
        self.contents = {path.name: path.read_bytes() for path in self.patch.iterdir()}
        self.serve()

    def start_registry(self):
        return FakeRegistry().stop_after(self)

    def manifest(self, **changes):
        layers = [{"mediaType": "text/plain", "digest": digest(content), "size": len(content),
                   "annotations": {"org.opencontainers.image.title": name}}
                  for name, content in self.contents.items()]
        return {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": PATCH, "layers": layers,
                **changes}

    def serve(self, **changes):
        """Puts self.contents there; `changes` are members of the manifest that lie."""
        for content in self.contents.values():
            self.registry.pages.setdefault(f"/v2/tester/blobs/{digest(content)}", content)
        content = json.dumps(self.manifest(**changes)).encode()
        self.registry.pages["/v2/tester/manifests/1"] = content
        return content

    def keep_uploads(self):
        """Makes the registry an honest one that can be pushed to; returns its pages."""
        def take(handler):
            path = handler.path.split("?")[0]
            repository, kind, _ = path.rsplit("/", 2) if "/uploads/" not in path else (
                path.split("/blobs/uploads/")[0], "uploads", "")
            if handler.command == "POST":
                handler.answer(202, Location=path + "1")
                return
            content = handler.rfile.read(int(handler.headers["Content-Length"]))
            folder = "blobs" if kind == "uploads" else kind
            pages[f"{repository}/{folder}/{digest(content)}"] = content
            if kind != "uploads":
                pages[path] = content
            handler.answer(201, OCI_Subject=digest(content))

        pages = self.registry.pages
        self.registry.take = take
        return pages

    def blob(self, name="adapter_model.safetensors"):
        return f"/v2/tester/blobs/{digest(self.contents[name])}"
