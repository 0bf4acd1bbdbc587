"""Executes every notebook from its first cell to its last; a cell that fails, fails.

    .venv/bin/python tests/notebooks/execute.py           check: what the committed files say is what comes out
    .venv/bin/python tests/notebooks/execute.py --write    keep the outputs in the files

Texts and tables are compared to the letter; of pictures only that they are there, since fonts differ between machines.
"""

import argparse
import difflib
import os
import pathlib
import sys

import nbformat
from nbclient import NotebookClient

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "notebooks"


def said(notebook: nbformat.NotebookNode) -> list[str]:
    """What the cells say, cell by cell."""
    lines = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            if output.output_type == "stream":
                text = output.text
            elif "image/png" in output.data:
                text = "(a picture)"
            else:
                text = output.data.get("text/plain", "")
            lines += [f"[{number}] {line}" for line in text.rstrip("\n").split("\n")]
    return lines


def tidy(notebook: nbformat.NotebookNode) -> None:
    """Drops what differs from run to run."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)


def execute(path: pathlib.Path, write: bool) -> list[str]:
    """Runs a notebook; what it says now and did not say before."""
    kept = nbformat.read(path, as_version=4)
    before = said(kept)
    client = NotebookClient(kept, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}})
    client.execute()
    tidy(kept)
    if write:
        nbformat.write(kept, path)
        return []
    return list(difflib.unified_diff(before, said(kept), "committed", "executed", lineterm="", n=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep the outputs in the files")
    asked = parser.parse_args()
    # Jupyter looks into the home folder otherwise, and debuggers warn about frozen modules.
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    notebooks = sorted(FOLDER.glob("*.ipynb"))
    if not notebooks:
        sys.exit(f"error: there are no notebooks in {FOLDER}")
    different = 0
    for path in notebooks:
        difference = execute(path, asked.write)
        print(f"{path.name}: {'differs' if difference else 'written' if asked.write else 'as committed'}")
        print("\n".join(difference), end="\n" if difference else "")
        different += bool(difference)
    if different:
        sys.exit("error: outputs differ from the committed ones; look at them, then `tests/notebooks/execute.py --write`")


if __name__ == "__main__":
    main()
