"""Makes the vectors of file formats, in files/ or in an empty folder that is named: the files of a patch,
its archive, its signature and the models it meets, each wrong in one thing. README.md says what is in
a folder; file_vectors/ has what is made, a module a folder.

Only Python's standard library is used, and nothing is random: another run makes the same bytes. Sizes
beyond what a repository should hold are only said, never there.
"""

import shutil
import sys
from pathlib import Path

from file_vectors import archives, index, models, rows, signatures, texts
from make import HERE


def main():
    if len(sys.argv) > 1:
        index.folder_of_all = Path(sys.argv[1])
    else:
        index.folder_of_all = HERE / "files"
        shutil.rmtree(index.folder_of_all, ignore_errors=True)
    for each in (rows, archives, texts, signatures, models):
        each.make()
    index.write_indexes()


if __name__ == "__main__":
    main()
