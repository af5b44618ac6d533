"""The symbols of llama.cpp's `common` stay inside the program."""

import subprocess

from program import PROGRAM, ProgramTest, main


class Symbols(ProgramTest):
    def test_none_leave(self):
        listed = subprocess.run(["nm", "-D", PROGRAM], check=True, capture_output=True,
                                encoding="utf-8").stdout.splitlines()
        self.assertGreater(len(listed), 100, "nm must have found the program's symbols")
        # Mangled names: the length of a namespace's name stands before it.
        foreign = [line for line in listed if "7httplib" in line or "8nlohmann" in line]
        self.assertEqual(foreign, [])

    def test_the_search_would_find_them(self):
        inside = subprocess.run(["nm", PROGRAM], check=True, capture_output=True,
                                encoding="utf-8").stdout
        self.assertIn("8nlohmann", inside)


if __name__ == "__main__":
    main()
