"""Debian's docker-registry is pushed to and pulled from, and skopeo reads and copies what is there.

Run by CTest (label `peer`); skipped where the two programs are not installed.
"""

import hashlib
import json
import urllib.request

from docker_registry import DockerRegistry
from program import main
from stores import StoreTest


class Registry(DockerRegistry, StoreTest):

    def setUp(self):
        super().setUp()
        self.patch = self.release(expires="2031-01-31T00:00:00Z", summary="Answers in French.")

    def push(self, patch, reference, *args):
        return self.run_ok("push", patch, reference, "--plain-http", "--json", *args)

    def files(self, folder):
        return {path.name: path.read_bytes() for path in (self.dir / folder).iterdir()}

    def test_what_is_pushed_comes_back_byte_for_byte(self):
        host = self.start()
        first = json.loads(self.push(self.patch, f"{host}/team/tester:1.0.0").stdout)
        self.assertTrue(first["changed"] and first["signed"])
        again = json.loads(self.push(self.patch, f"{host}/team/tester:1.0.0").stdout)
        self.assertEqual((again["changed"], again["digest"]), (False, first["digest"]))
        for wanted in [":1.0.0", "@" + first["digest"], ":1.0.0@" + first["digest"]]:
            report = json.loads(self.run_ok("pull", f"oci://{host}/team/tester{wanted}", "-o", "back",
                                            "--key", "vendor.pub", "--plain-http", "--force",
                                            "--json").stdout)
            self.assertEqual(report["digest"], first["digest"])
            self.assertEqual(self.files("back"), self.files(self.patch))
        report = json.loads(self.run_ok(*self.install(f"oci://{host}/team/tester:1.0.0", "--plain-http",
                                                      "--json")).stdout)
        self.assertEqual(report["reference"], f"{host}/team/tester:1.0.0@{first['digest']}")
        self.assertEqual(self.run_ok("tags", f"{host}/team/tester", "--plain-http").stdout, "1.0.0\n")

    def test_skopeo_reads_and_copies_it(self):
        host = self.start()
        digest = json.loads(self.push(self.patch, f"{host}/tester:1.0.0").stdout)["digest"]
        raw = self.skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{host}/tester:1.0.0")
        self.assertEqual("sha256:" + hashlib.sha256(raw.encode()).hexdigest(), digest)
        manifest = json.loads(raw)
        titles = {layer["annotations"]["org.opencontainers.image.title"]: layer["digest"]
                  for layer in manifest["layers"]}
        self.assertEqual(titles, {name: "sha256:" + hashlib.sha256(content).hexdigest()
                                  for name, content in self.files(self.patch).items()})
        self.assertEqual(manifest["annotations"]["org.opencontainers.image.description"],
                         "Answers in French.")
        self.skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false",
                    f"docker://{host}/tester:1.0.0", f"docker://{host}/copied:latest")
        self.run_ok("pull", f"{host}/copied:latest", "-o", "copied", "--key", "vendor.pub",
                    "--plain-http")
        self.assertEqual(self.files("copied"), self.files(self.patch))

    def test_the_signature_refers_to_the_patch(self):
        host = self.start()
        digest = json.loads(self.push(self.patch, f"{host}/tester:1.0.0").stdout)["digest"]
        index = json.loads(self.skopeo("inspect", "--raw", "--tls-verify=false",
                                       f"docker://{host}/tester:sha256-{digest[7:]}"))
        [referrer] = index["manifests"]
        accept = {"Accept": referrer["mediaType"]}
        url = f"http://{host}/v2/tester/"
        manifest = json.load(urllib.request.urlopen(
            urllib.request.Request(url + "manifests/" + referrer["digest"], headers=accept)))
        self.assertEqual(manifest["subject"]["digest"], digest)
        bundle = urllib.request.urlopen(url + "blobs/" + manifest["layers"][0]["digest"]).read()
        self.assertEqual(bundle, (self.patch / "model.sig").read_bytes())

    def test_a_tag_is_not_moved_without_a_word(self):
        host = self.start()
        self.push(self.patch, f"{host}/tester:latest")
        newer = self.release("1.1.0", sequence=2)
        self.fails(11, "another patch there", "push", newer, f"{host}/tester:latest", "--plain-http")
        self.push(newer, f"{host}/tester:latest", "--force")
        self.run_ok("pull", f"{host}/tester:latest", "-o", "back", "--key", "vendor.pub",
                    "--plain-http")
        self.assertEqual(self.files("back"), self.files(newer))

    def test_what_nobody_trusted_signed_is_not_written(self):
        host = self.start()
        unsigned = self.release("2.0.0", sign=False)
        outcome = self.push(unsigned, f"{host}/tester:2.0.0")
        self.assertIn("not signed", outcome.stderr)
        pull = ["pull", f"{host}/tester:2.0.0", "-o", "back", "--plain-http"]
        self.fails(5, "tester:2.0.0", *pull, "--key", "vendor.pub")
        self.run_ok("keygen", "-o", "other")
        self.push(self.patch, f"{host}/tester:1.0.0")
        self.fails(5, "tester:1.0.0", "pull", f"{host}/tester:1.0.0", "-o", "back", "--plain-http",
                   "--key", "other.pub")
        self.run_ok(*pull, "--allow-unsigned")

    def test_what_is_not_there_is_said(self):
        host = self.start()
        self.fails(3, "no such patch", "pull", f"{host}/tester:1.0.0", "-o", "back", "--key",
                   "vendor.pub", "--plain-http")
        self.fails(3, "404", "tags", f"{host}/tester", "--plain-http")

    def test_tls_is_checked_against_the_given_root_alone(self):
        host = self.start(tls=self.certificates())
        push = ["push", self.patch, f"{host}/tester:1.0.0"]
        self.fails(12, "certificate", *push)
        self.fails(12, "certificate", *push, "--registry-ca", "other.pem")
        self.run_ok(*push, "--registry-ca", "ca.pem")
        self.run_ok("pull", f"{host}/tester:1.0.0", "-o", "back", "--key", "vendor.pub",
                    "--registry-ca", "ca.pem")
        self.assertEqual(self.files("back"), self.files(self.patch))

    def test_credentials_come_from_dockers_config(self):
        host = self.start(auth=self.passwords())
        push = ["push", self.patch, f"{host}/tester:1.0.0", "--plain-http", "--docker-config"]
        self.write("none.json", "{}")
        self.fails(12, "no credentials", *push, "none.json")
        self.fails(12, "not accepted", *push, self.docker_config("wrong.json", host, "guess"))
        self.run_ok(*push, self.docker_config("right.json", host, "secret"))
        helper = self.write("bin/docker-credential-tester", "#!/bin/sh\nread host\n"
                            'echo "{\\"ServerURL\\":\\"$host\\",\\"Username\\":\\"vendor\\",'
                            '\\"Secret\\":\\"secret\\"}"\n')
        helper.chmod(0o755)
        path = f"{helper.parent}:/usr/bin:/bin"
        self.write("helper.json", json.dumps({"credHelpers": {host: "tester"}}))
        pulled = self.start_program("pull", f"{host}/tester:1.0.0", "-o", "back", "--key",
                                    "vendor.pub", "--plain-http", "--docker-config", "helper.json",
                                    env={"PATH": path})
        said = pulled.communicate(timeout=60)
        self.assertEqual(pulled.returncode, 0, said)
        self.assertEqual(self.files("back"), self.files(self.patch))


main()
