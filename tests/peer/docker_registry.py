"""Debian's docker-registry and skopeo, for tests that need them; where one is not installed, the test
ends as skipped."""

import base64
import json
import shutil
import socket
import subprocess
import sys
import time

from program import SKIPPED

for tool in ["docker-registry", "skopeo"]:
    if shutil.which(tool) is None:
        print(f"skipped: no {tool} (apt-get install {tool})")
        sys.exit(SKIPPED)

CONFIG = """version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {folder}}}
http: {{addr: 127.0.0.1:{port}{tls}}}
{auth}"""
# The password is "secret": bcrypt, as htpasswd -B makes it.
PASSWORDS = "vendor:$2b$05$UmscdDWhRNBOBiQ0rqyYHuem84VFsMCn5f9oYlumNGUwO6aGaw54q\n"


class DockerRegistry:
    """For a ProgramTest."""

    def certificates(self):
        """Makes the root ca.pem, another one, other.pem, and what makes a registry speak TLS with a
        certificate of the first: for start()."""
        def openssl(*args):
            subprocess.run(["openssl", *args], cwd=self.dir, check=True, capture_output=True)

        new = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        for name in ["ca", "other"]:
            openssl(*new, "-x509", "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}-ca.key",
                    "-out", f"{name}.pem")
        openssl(*new, "-subj", "/CN=registry", "-keyout", "leaf.key", "-out", "leaf.csr")
        self.write("names", "subjectAltName=IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca-ca.key", "-days",
                "1", "-extfile", "names", "-out", "leaf.pem")
        return f", tls: {{certificate: {self.dir}/leaf.pem, key: {self.dir}/leaf.key}}"

    def passwords(self):
        """What makes a registry ask for the user vendor with the password secret: for start()."""
        self.write("passwords", PASSWORDS)
        return f"auth: {{htpasswd: {{realm: patches, path: {self.dir}/passwords}}}}\n"

    def docker_config(self, name, host, password):
        """Writes Docker's config with these credentials for a host."""
        auth = base64.b64encode(f"vendor:{password}".encode()).decode()
        self.write(name, json.dumps({"auths": {host: {"auth": auth}}}))
        return name

    def start(self, auth="", tls=""):
        """Starts a registry; its address."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.write("registry.yml", CONFIG.format(folder=self.dir / "registry", port=port, auth=auth,
                                                 tls=tls))
        process = subprocess.Popen(["docker-registry", "serve", "registry.yml"], cwd=self.dir,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return f"127.0.0.1:{port}"
            except OSError:
                time.sleep(0.05)
        self.fail("the registry does not start")

    def skopeo(self, *args):
        self.write("policy.json", json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
        done = subprocess.run(["skopeo", "--policy", "policy.json", *map(str, args)], cwd=self.dir,
                              capture_output=True, encoding="utf-8", timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout
