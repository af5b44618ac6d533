"""A registry that lies, stalls or goes round in circles costs little, and which check failed is said.

The registry is a server that answers from a table (registries.py).
"""

import base64
import json
import time
from urllib.parse import parse_qs, urlsplit

from program import main
from registries import MANIFEST, Fallback, RegistryTest, digest


class LyingRegistry(RegistryTest):

    def arguments(self, reference="tester:1"):
        return ["pull", f"{self.registry.host}/{reference}", "-o", "back", "--key", "vendor.pub",
                "--plain-http"]

    def pull_fails(self, code, pattern, reference="tester:1", within=20):
        start = time.monotonic()
        self.fails(code, pattern, *self.arguments(reference))
        self.assertLess(time.monotonic() - start, within)

    def pulled(self):
        self.run_ok(*self.arguments(), "--force")
        self.assertEqual({path.name: path.read_bytes() for path in (self.dir / "back").iterdir()},
                         self.contents)

    def test_an_honest_one_is_pulled_from(self):
        self.pulled()

    def install_from(self, reference="tester:1", key="vendor.pub"):
        return self.store("install", f"oci://{self.registry.host}/{reference}", "--key", key,
                          "--plain-http")

    def test_install_takes_what_pull_would(self):
        pinned = digest(self.serve())
        report = json.loads(self.run_ok(*self.install_from(), "--activate", "--json").stdout)
        self.assertEqual(report["reference"], f"{self.registry.host}/tester:1@{pinned}")
        self.assertEqual((report["version"], report["active"]), ("1.0.0", True))
        self.check_no_rubbish()
        self.assertEqual(self.referred, {digest(each)[7:] for each in self.contents.values()})
        self.registry.pages[f"/v2/tester/manifests/{pinned}"] = self.serve()
        again = self.run_ok(*self.install_from(f"tester@{pinned}"))
        self.assertIn("installed already", again.stderr)

    def test_install_puts_nothing_into_the_store_that_is_not_verified(self):
        self.run_ok("keygen", "-o", "other")
        self.fails(5, "tester:1: |tester:1/", *self.install_from(key="other.pub"))
        content = self.contents["adapter_model.safetensors"]
        self.registry.pages[self.blob()] = content[:-1] + bytes([content[-1] ^ 1])
        self.fails(5, "found the digest sha256:", *self.install_from())
        self.fails(3, "no such patch", *self.install_from("tester:2"))
        self.fails(2, "neither a tag nor a digest", *self.install_from("tester"))
        self.fails(2, "no host before", *self.store("install", "oci://tester:1"))
        self.assertEqual(self.state(), {})
        self.check_no_rubbish()
        self.assertEqual(self.referred, set())
        entries = json.loads(self.run_ok(*self.store("history", "--json")).stdout)
        self.assertEqual([(each["operation"], each["outcome"]) for each in entries],
                         [("install", "refused")] * 4)

    def test_install_from_a_registry_refuses_older_releases(self):
        self.run_ok(*self.install(self.release("2.0.0", 2)))
        self.fails(12, "found sequence 1", *self.install_from())

    def test_only_what_says_so_is_in_a_registry(self):
        name = f"{self.registry.host}/tester:1"
        outcome = self.fails(3, "found no directory or file", *self.install(name, "--plain-http"))
        self.assertIn(f"hint: for a patch in a registry say oci://{name}\n", outcome.stderr)
        self.patch.rename(self.dir / "oci:")
        self.run_ok(*self.install("oci:"))
        self.run_ok(*self.install("./oci:"))
        self.assertEqual(self.registry.asked, [])

    def test_other_bytes_than_the_digest(self):
        content = self.contents["adapter_model.safetensors"]
        self.registry.pages[self.blob()] = content[:-1] + bytes([content[-1] ^ 1])
        self.pull_fails(5, "found the digest sha256:")

    def test_a_shorter_layer(self):
        content = self.contents["adapter_model.safetensors"]
        self.registry.pages[self.blob()] = content[:-1]
        self.pull_fails(5, f"found the digest {digest(content[:-1])}, expected {digest(content)}")

    def test_a_pinned_digest_that_is_answered_with_something_else(self):
        honest = self.serve()
        other = self.serve(annotations={"a": "b"})
        self.registry.pages[f"/v2/tester/manifests/{digest(honest)}"] = other
        self.pull_fails(5, "found the digest sha256:", f"tester@{digest(honest)}")

    def test_an_artifact_that_is_no_patch(self):
        self.serve(artifactType="application/vnd.example.other.v1")
        self.pull_fails(7, "vnd.example.other")
        self.serve(mediaType="application/vnd.oci.image.index.v1+json")
        self.pull_fails(7, "image or index")

    def test_layers_that_no_patch_has(self):
        honest = self.manifest()["layers"]
        title = "org.opencontainers.image.title"

        def layers(**changes):
            return [{**honest[0], **changes}, *honest[1:]]

        for changed, code, pattern in [
                (layers(annotations={title: "../../.ssh/authorized_keys"}), 4, "authorized_keys"),
                (layers(annotations={title: "/etc/passwd"}), 4, "passwd"),
                (layers(annotations={}), 4, title),
                (layers(digest="sha256:../../../../etc/passwd"), 4, "layer digest"),
                (layers(digest="sha512:" + "a" * 128), 4, "layer digest"),
                (layers(size=-1), 4, "size"),
                (layers(size=10**13), 9, "adapter_config|larger|at most"),
                (layers(size="9"), 4, "size"),
                ([honest[0], honest[0], *honest[1:]], 4, "twice"),
                ([], 4, "none"),
                ("layers", 4, "layers"),
                ([7], 4, "layer")]:
            self.serve(layers=changed)
            self.pull_fails(code, pattern)

    def test_a_manifest_that_is_none(self):
        for content, code in [(b"", 4), (b"{", 4), (b"[]", 4), (b"{}", 7), (b'{"a":1,"a":2}', 4),
                              (b"[" * 100000, 4), (b" " * (5 << 20), 9)]:
            self.registry.pages["/v2/tester/manifests/1"] = content
            self.pull_fails(code, "tester:1|manifests/1")

    def test_a_layer_without_an_end(self):
        sent = []

        def endless(handler):
            handler.send_response(200)
            handler.send_header("Connection", "close")
            handler.end_headers()
            while True:
                handler.wfile.write(b"x" * 65536)
                sent.append(65536)

        self.registry.pages[self.blob()] = endless
        self.pull_fails(9, "more than")
        self.assertLess(sum(sent), 16 << 20)

    def test_a_layer_that_breaks_off_is_gone_on_with(self):
        content = self.contents["adapter_model.safetensors"]
        half = len(content) // 2

        def broken(handler):
            asked = handler.headers.get("Range")
            if asked:
                self.assertEqual(asked, f"bytes={half}-")
                handler.answer(206, content[half:], Content_Range=f"bytes {half}-{len(content) - 1}/"
                                                                  f"{len(content)}")
            else:
                handler.answer(200, content[:half], Content_Length=len(content))
                handler.close_connection = True

        self.registry.pages[self.blob()] = broken
        self.pulled()

    def test_a_registry_without_ranges_is_asked_for_the_whole_again(self):
        content = self.contents["adapter_model.safetensors"]
        attempts = []

        def broken(handler):
            attempts.append(handler.headers.get("Range"))
            if len(attempts) == 1:
                handler.answer(200, content[:1000], Content_Length=len(content))
                handler.close_connection = True
            else:
                handler.answer(200, content)

        self.registry.pages[self.blob()] = broken
        self.pulled()
        self.assertEqual(attempts, [None, "bytes=1000-", None])

    def test_a_busy_registry_is_asked_again(self):
        answers = [503, 429]

        def busy(handler):
            if answers:  # the page is longer than the layer
                handler.answer(answers.pop(0), b"later" * 20000, Retry_After=1)
            else:
                handler.answer(200, self.contents[smallest])

        smallest = min(self.contents, key=lambda name: len(self.contents[name]))
        self.registry.pages[self.blob(smallest)] = busy
        self.pulled()
        self.assertEqual(answers, [])

    def test_a_registry_that_stays_broken_is_given_up(self):
        self.registry.pages["/v2/tester/manifests/1"] = lambda handler: handler.answer(500)
        self.pull_fails(10, "500")
        self.assertEqual(len(self.registry.asked), 4)

    def test_redirects_in_a_circle(self):
        self.registry.pages[self.blob()] = lambda handler: handler.answer(
            307, Location=handler.path)
        self.pull_fails(9, "redirects")

    def test_a_redirect_to_another_scheme(self):
        self.registry.pages[self.blob()] = lambda handler: handler.answer(
            307, Location=f"file://{self.dir}/vendor.key")
        self.pull_fails(12, "found a redirect")

    def test_a_challenge_that_never_ends(self):
        tokens = []

        def token(handler):
            asked = parse_qs(urlsplit(handler.path).query)
            self.assertEqual(asked, {"service": ["s"], "scope": ["repository:tester:pull"]})
            tokens.append(handler.headers.get("Authorization"))
            handler.answer(200, json.dumps({"token": f"t{len(tokens)}"}).encode())

        self.registry.pages["/token"] = token
        realm = f'Bearer realm="http://{self.registry.host}/token",service="s"'
        self.registry.pages["/v2/tester/manifests/1"] = lambda handler: handler.answer(
            401, WWW_Authenticate=realm)
        self.fails(12, "401", *self.arguments(), *self.log_in())
        self.assertEqual(len(tokens), 2)
        self.assertEqual(set(tokens), {"Basic " + base64.b64encode(b"vendor:secret").decode()})

    def test_credentials_stay_with_their_host(self):
        other = self.start_registry()
        other.pages[self.blob()] = self.contents["adapter_model.safetensors"]
        manifest = self.serve()

        def asks(handler):
            if "Authorization" in handler.headers:
                handler.answer(200, manifest, Content_Type=MANIFEST)
            else:
                handler.answer(401, WWW_Authenticate='Basic realm="patches"')

        self.registry.pages["/v2/tester/manifests/1"] = asks
        self.registry.pages[self.blob()] = lambda handler: handler.answer(
            307, Location=f"http://{other.host}{handler.path}")
        self.run_ok(*self.arguments(), *self.log_in())
        [(_, _, headers)] = other.asked
        self.assertNotIn("Authorization", headers)

    def log_in(self):
        """Docker's config with credentials for the registry."""
        auth = base64.b64encode(b"vendor:secret").decode()
        self.write("config.json", json.dumps({"auths": {self.registry.host: {"auth": auth}}}))
        return ["--docker-config", "config.json"]

    def test_a_token_is_fetched_and_shown(self):
        def token(handler):
            handler.answer(200, json.dumps({"token": "", "access_token": "abc"}).encode())

        def asks(page):
            def answer(handler):
                if handler.headers.get("Authorization") == "Bearer abc":
                    handler.answer(200, page, Content_Type=MANIFEST)
                else:
                    handler.send_response(401)
                    handler.send_header("WWW-Authenticate", "Negotiate")
                    handler.send_header("WWW-Authenticate",
                                        f'Bearer realm="http://{self.registry.host}/token"')
                    handler.send_header("Content-Length", "0")
                    handler.end_headers()
            return answer

        self.registry.pages = {path: asks(page) for path, page in self.registry.pages.items()}
        self.registry.pages["/token"] = token
        self.run_ok(*self.arguments(), *self.log_in())
        asked = [path.split("?")[0] for _, path, _ in self.registry.asked]
        self.assertEqual(asked.count("/token"), 1)  # and used for every layer

    def test_a_host_behind_a_redirect_cannot_ask_for_credentials(self):
        other = self.start_registry()
        other.pages[self.blob()] = lambda handler: handler.answer(
            401, WWW_Authenticate=f'Bearer realm="http://{other.host}/token"')
        other.pages["/token"] = b'{"token": "t"}'
        self.registry.pages[self.blob()] = lambda handler: handler.answer(
            307, Location=f"http://{other.host}{handler.path}")
        self.fails(12, "401", *self.arguments(), *self.log_in())
        self.assertEqual([path for _, path, _ in other.asked], [self.blob()])

    def push_arguments(self):
        return ["push", self.patch, f"{self.registry.host}/tester:1", "--plain-http"]

    def serve_uploads(self, put):
        """Makes the registry take uploads: `put` answers them."""
        self.registry.pages = {}
        self.registry.pages["/v2/tester/blobs/uploads/"] = lambda handler: handler.answer(
            202, Location="/upload?_state=s")

        def upload(handler):
            put(handler, handler.rfile.read(int(handler.headers["Content-Length"])))

        self.registry.pages["/upload"] = upload

    def test_an_upload_to_another_host(self):
        other = self.start_registry()
        self.serve_uploads(None)
        self.registry.pages["/v2/tester/blobs/uploads/"] = lambda handler: handler.answer(
            202, Location=f"http://{other.host}/upload")
        self.fails(12, "another host", *self.push_arguments(), *self.log_in())
        self.registry.pages["/v2/tester/blobs/uploads/"] = lambda handler: handler.answer(
            307, Location=f"http://{other.host}/v2/tester/blobs/uploads/")
        self.fails(10, "307", *self.push_arguments(), *self.log_in())
        self.assertEqual(other.asked, [])

    def test_an_upload_that_breaks_off_is_begun_again(self):
        kept, failures = {}, [500, 404]

        def put(handler, content):
            if failures:
                handler.answer(failures.pop(0))
                return
            kept[digest(content)] = content
            self.registry.pages[f"/v2/tester/blobs/{digest(content)}"] = content
            handler.answer(201)

        def manifest(handler):
            if handler.command == "PUT":
                content = handler.rfile.read(int(handler.headers["Content-Length"]))
                kept["manifest"] = content
                handler.answer(201, OCI_Subject=digest(content))
            else:
                handler.answer(404)

        self.serve_uploads(put)
        self.registry.pages = Fallback(self.registry.pages, "/v2/tester/manifests/", manifest)
        self.run_ok(*self.push_arguments())
        self.assertEqual(failures, [])
        for content in self.contents.values():
            self.assertEqual(kept.get(digest(content)), content)
        # The registry said that it keeps referrers, so no tag was made for them.
        self.assertFalse([path for _, path, _ in self.registry.asked if "manifests/sha256-" in path])

    def tags(self, *pages):
        """Serves pages of tags: the body and the Link of each."""
        served = list(pages)

        def page(handler):
            body, link = served.pop(0) if len(served) > 1 else served[0]
            handler.answer(200, json.dumps(body).encode(), Link=link)

        self.registry.pages["/v2/tester/tags/list"] = page
        return ["tags", f"{self.registry.host}/tester", "--plain-http"]

    def test_tags_on_several_pages(self):
        next_page = '</v2/tester/tags/list?n=1&last=a>; rel="next"'
        hidden = "sha256-" + "a" * 64
        said = self.run_ok(*self.tags(({"tags": ["a"]}, next_page), ({"tags": ["b", hidden]}, None)))
        self.assertEqual(said.stdout, "a\nb\n")
        self.assertEqual(self.run_ok(*self.tags(({"tags": None}, None))).stdout, "")

    def test_tags_that_are_none_or_never_end(self):
        circle = '</v2/tester/tags/list?n=1000>; rel="next"'
        for name in [1, None, "", "a b", "\u001b[2J", "x" * 129]:
            self.fails(4, "no tag", *self.tags(({"tags": [name]}, None)))
        self.fails(9, "100 pages", *self.tags(({"tags": ["a"]}, circle)))
        self.fails(10, "another|same host",
                   *self.tags(({"tags": ["a"]}, '<http://127.0.0.2:1/tags>; rel="next"')))

    def test_what_a_registry_says_does_not_reach_the_terminal(self):
        body = json.dumps({"errors": [{"code": "\u001b]0;x\u0007", "message": "\u001b[2J"}]}).encode()
        self.registry.pages["/v2/tester/manifests/1"] = lambda handler: handler.answer(403, body)
        outcome = self.fails(12, "403", *self.arguments())
        self.assertNotIn("\x1b", outcome.stderr)

    def test_http_to_another_machine_is_refused(self):
        self.fails(12, "expected https", "pull", "registry.example.com/tester:1", "-o", "back",
                   "--key", "vendor.pub", "--plain-http")

    def test_a_slow_drip_does_not_outlast_a_ctrl_c(self):
        def drip(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", "100000")
            handler.end_headers()
            while True:
                handler.wfile.write(b"x")
                handler.wfile.flush()
                time.sleep(0.1)

        self.registry.pages["/v2/tester/manifests/1"] = drip
        process = self.start_program(*self.arguments())
        while not self.registry.asked:
            time.sleep(0.01)
        process.send_signal(2)
        self.assertEqual(process.wait(timeout=20), 130)


main()
