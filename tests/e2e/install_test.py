"""The installed tree, moved to another place: the program runs, and a project that has nothing else
finds the library, verifies a patch and runs it as the program does."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from build_tree import BUILD, cached
from program import MODEL, OTHER_MODEL, SOURCE, ProgramTest, main

EXAMPLE = SOURCE / "examples/find_package"
TEXT = "The capital of France is"
COMPILER = cached("CMAKE_CXX_COMPILER")
# A sanitizer of this build must be in every program that loads its libraries.
SANITIZE = [f"-fsanitize={kinds}" for kinds in [cached("LLMPATCH_SANITIZE")] if kinds]


def run(*command, **options):
    return subprocess.run(list(map(str, command)), capture_output=True, encoding="utf-8",
                          timeout=280, **options)


FOLDER = Path(tempfile.mkdtemp(prefix="llmpatch-install-"))
PREFIX = FOLDER / "prefix"
LIBRARY = PREFIX / "lib/libllmpatch.so.0"


def setUpModule():
    unittest.addModuleCleanup(shutil.rmtree, FOLDER)
    done = run("cmake", "--install", BUILD, "--prefix", FOLDER / "first place")
    assert done.returncode == 0, done.stdout + done.stderr
    (FOLDER / "first place").rename(PREFIX)


class Installed(ProgramTest):
    program = PREFIX / "bin/llmpatch"

    def run_tool(self, *command, **options):
        done = run(*command, cwd=self.dir, **options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout


def configure(build, *options, source=EXAMPLE):
    return run("cmake", "-S", source, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={PREFIX}",
               f"-DCMAKE_CXX_COMPILER={COMPILER}",
               "-DCMAKE_CXX_FLAGS=" + " ".join(["-Wall", "-Wextra", "-Werror", *SANITIZE]), *options)


class Example(Installed):
    @classmethod
    def setUpClass(cls):
        build = FOLDER / "example"
        for done in (configure(build), run("cmake", "--build", build)):
            assert done.returncode == 0, done.stdout + done.stderr
        cls.answer = build / "answer"

    def setUp(self):
        super().setUp()
        self.patch = self.make_patch()
        self.run_ok("keygen", "-o", "vendor")
        self.run_ok("sign", self.patch, "--key", "vendor.key")

    def generate(self, *options):
        self.write_lines("prompts.jsonl", [{"prompt": TEXT}])
        self.run_ok("generate", "--model", MODEL, "--prompts", "prompts.jsonl", "--format", "raw",
                    "--max-tokens", "24", "--force", "-o", "out.jsonl", *options)
        return self.read_lines("out.jsonl")[0]["response"]

    def answer_of(self, patch, key="vendor.pub"):
        return self.run_tool(self.answer, MODEL, patch, key, TEXT)

    def refused(self, pattern, model=MODEL, key="vendor.pub", text=TEXT, env=None):
        done = run(self.answer, model, self.patch, key, text, cwd=self.dir, env=env)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\Aanswer: " + pattern)

    def test_is_short(self):
        self.assertLess(len((EXAMPLE / "answer.cc").read_text().splitlines()), 40)

    def test_answers_as_the_program_does(self):
        patched = self.generate("--patch", self.patch, "--key", "vendor.pub")
        self.assertNotEqual(patched, self.generate(), "the patch must change the answer")
        self.assertEqual(self.answer_of(self.patch), patched)
        self.run_ok("pack", self.patch, "-o", "tester.llmpatch")
        self.assertEqual(self.answer_of("tester.llmpatch"), patched)

    def test_refuses_what_does_not_hold(self):
        self.run_ok("keygen", "-o", "other")
        self.refused(r"\[trust\] .*found a signature by key", key="other.pub")
        with open(self.patch / "README.md", "a") as readme:
            readme.write("!")
        self.refused(r"\[trust\] .*README\.md: found sha256")

    def test_says_that_llama_failed(self):
        # More tokens than it has room for; and as many as it has, but not behind the patch.
        for words in (600, 511):
            with self.subTest(words):
                self.refused(r"llama\.cpp could not tokenize or decode", text=" the" * words)

    def test_refuses_another_model(self):
        self.refused(r"\[stack\] .*found another model", model=OTHER_MODEL)

    def test_refuses_another_libllama(self):
        if SANITIZE:
            self.skipTest("a sanitizer's runtime must be the first library")
        self.write("other.cc", 'extern "C" const char* llama_version() { return "9.9.9"; }\n')
        self.run_tool(COMPILER, "-shared", "-fPIC", "-o", "libother.so", "other.cc")
        self.refused(r"\[apply\] libllama: found 9\.9\.9, expected ",
                     env={**os.environ, "LD_PRELOAD": str(self.dir / "libother.so")})


class Package(Installed):
    def refused(self, pattern, *options, source=EXAMPLE):
        done = configure(self.dir / "build", *options, source=source)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertRegex(re.sub(r"\s+", " ", done.stderr), pattern)

    def foreign_llama(self, version, change=""):
        """The installed llama.cpp once more, as if of another version or with another header."""
        other = self.dir / "other"
        for part in ("include", "lib"):
            shutil.copytree(PREFIX / part, other / part, symlinks=True)
        shutil.rmtree(other / "lib/cmake/llmpatch")
        config = other / "lib/cmake/llama/llama-config.cmake"
        text = re.sub(r"set\(LLAMA_VERSION .*\)", f"set(LLAMA_VERSION {version})",
                      config.read_text())
        self.assertIn(version, text)
        config.write_text(text)
        with open(other / "include/llama.h", "a") as header:
            header.write(change)
        return other

    def version(self):
        return re.search(r"set\(LLAMA_VERSION +(\S+)\)", (
            PREFIX / "lib/cmake/llama/llama-config.cmake").read_text())[1]

    def test_another_llmpatch_is_refused(self):
        self.write("project/answer.cc", (EXAMPLE / "answer.cc").read_text())
        asked = (EXAMPLE / "CMakeLists.txt").read_text().replace("llmpatch 0.1", "llmpatch 0.2")
        self.write("project/CMakeLists.txt", asked)
        self.refused(r"compatible with requested version \"0\.2\"", source=self.dir / "project")

    def test_another_llama_is_refused(self):
        other = self.foreign_llama("9.9.9")
        self.refused(r"found version 9\.9\.9, expected " + re.escape(self.version()),
                     f"-Dllama_DIR={other}/lib/cmake/llama")

    def test_another_header_of_the_same_version_is_refused(self):
        other = self.foreign_llama(self.version(), "// changed\n")
        self.refused(r"found \S+/other/include/llama\.h, expected the same as",
                     f"-Dllama_DIR={other}/lib/cmake/llama")

    def test_the_same_llama_elsewhere_will_do(self):
        other = self.foreign_llama(self.version())
        done = configure(self.dir / "build", f"-Dllama_DIR={other}/lib/cmake/llama")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_pkg_config_knows_the_flags(self):
        if shutil.which("pkg-config") is None:
            self.skipTest("no pkg-config")
        flags = self.run_tool("pkg-config", "--cflags", "--libs", "llmpatch", env={
            **os.environ, "PKG_CONFIG_PATH": f"{PREFIX}/lib/pkgconfig"}).split()
        self.run_tool(COMPILER, "-std=c++20", EXAMPLE / "answer.cc", *flags, *SANITIZE,
                      f"-Wl,-rpath,{PREFIX}/lib", "-o", "answer")
        self.assertEqual(run(self.dir / "answer").returncode, 2)


class Tree(Installed):
    def test_names_no_place_of_this_machine(self):
        places = [str(SOURCE).encode(), str(BUILD).encode(), str(FOLDER).encode(),
                  os.path.realpath(cached("CMAKE_PREFIX_PATH").split(";")[0]).encode()]
        text = [path for path in PREFIX.rglob("*")
                if path.suffix in (".cmake", ".pc", ".h") and path.is_file()]
        self.assertGreater(len(text), 20)
        for path in text:
            self.assertFalse([place for place in places if place in path.read_bytes()], path)

    def test_every_library_is_found_beside_it(self):
        for binary, run_path in [(self.program, "$ORIGIN/../lib"), (LIBRARY, "$ORIGIN"),
                                 (PREFIX / "lib/libllama.so.0", "$ORIGIN"),
                                 (PREFIX / "lib/libggml.so.0", "$ORIGIN")]:
            dynamic = self.run_tool("readelf", "-d", binary)
            self.assertIn(f"Library runpath: [{run_path}]", dynamic)
            for line in self.run_tool("ldd", binary).splitlines():
                self.assertNotIn("not found", line)
                if re.search(r"libllama|libggml|libllmpatch", line):
                    self.assertIn(str(PREFIX), line)
        self.assertIn("soname: [libllmpatch.so.0]", self.run_tool("readelf", "-d", LIBRARY))

    def test_the_library_links_little(self):
        needed = re.findall(r"NEEDED\D*\[(\S+)\]", self.run_tool("readelf", "-d", LIBRARY))
        self.assertIn("libllama.so.0", needed)
        allowed = re.compile(r"lib(llama|ggml|ggml-base|ggml-cpu|crypto|archive|stdc\+\+|m|gcc_s|c|"
                             r"\w+san|pthread)\.so|ld-linux")
        self.assertEqual([name for name in needed if not allowed.match(name)], [])

    def test_the_library_exports_its_own_symbols_alone(self):
        listed = self.run_tool("nm", "-D", "-C", "--defined-only", LIBRARY).splitlines()
        names = [line.split(maxsplit=2)[2] for line in listed]
        self.assertTrue(any(name.startswith("llmpatch::SafetyPatch::load(") for name in names))
        others = [name for name in names if not re.match(r"llmpatch::|LLMPATCH_0$", name)]
        self.assertEqual(others, [])
        # What no public header declares stays inside.
        public = "".join(path.read_text() for path in self.headers())
        for name in names:
            for word in re.findall(r"::(\w+)", name.partition("(")[0]):
                self.assertIn(word, public, name)
        # llama.cpp's `common` is not even in it.
        inside = self.run_tool("nm", "-C", BUILD / "lib/libllmpatch.so.0")
        self.assertNotRegex(inside, r"common_chat|jinja::|httplib")

    def headers(self):
        found = sorted((PREFIX / "include/llmpatch").glob("*.h"))
        self.assertGreater(len(found), 5)
        return found

    def test_every_header_compiles_alone_and_without_llama(self):
        alone = self.dir / "include/llmpatch"
        shutil.copytree(PREFIX / "include/llmpatch", alone)
        self.write("all.cc", "".join(f'#include <llmpatch/{path.name}>\n#include <llmpatch/{path.name}>\n'
                                     for path in self.headers()))
        for path in self.headers():
            self.write(f"{path.stem}.cc", f"#include <llmpatch/{path.name}>\n")
        sources = [f"{path.stem}.cc" for path in self.headers()]
        self.run_tool(COMPILER, "-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion",
                      "-Werror", "-fsyntax-only", "-I", "include", "all.cc", *sources)

    def test_the_program_runs(self):
        self.assertRegex(self.run_ok("--version").stdout, r"^llmpatch \d")
        self.make_patch()
        self.run_ok("inspect", "tester", "--model", MODEL)


if __name__ == "__main__":
    main()
