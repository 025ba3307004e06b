"""Running TeX, where there is one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

TROUBLE = re.compile(r"^!.*|.*(?:Overfull|Underfull|(?<!shellesc )Warning|Missing character|undefined).*", re.MULTILINE)


def has(engine: str, *files: str) -> bool:
    """Whether there is a TeX with everything that a drawing needs, and some files."""
    needed = ["tikz.sty", "standalone.cls", *files]
    if shutil.which(engine) is None or shutil.which("kpsewhich") is None:
        return False
    found = subprocess.run(["kpsewhich", *needed], capture_output=True, text=True)
    return len(found.stdout.splitlines()) == len(needed)


needs_tex = pytest.mark.skipif(not has("pdflatex"), reason="there is no pdflatex with TikZ and standalone")


def typeset(text: str, folder: Path, engine: str = "pdflatex", name: str = "paper") -> tuple[int, list[str]]:
    """The pages of a document, and the lines of the log that report trouble."""
    (folder / f"{name}.tex").write_text(text, encoding="utf-8")
    command = [engine, "-interaction=nonstopmode", "-no-shell-escape", f"{name}.tex"]
    subprocess.run(command, cwd=folder, capture_output=True, timeout=120)
    log = (folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
    pages = re.search(r"\((\d+) pages?", log)
    return int(pages[1]) if pages else 0, TROUBLE.findall(log)
