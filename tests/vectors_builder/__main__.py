"""Writes `tests/vectors` anew; its README and settings stay."""

import shutil
from pathlib import Path

from tests.vectors_builder.files import vector_files

VECTORS = Path(__file__).parent.parent / "vectors"

for name in ("good", "trust", "changed", "shared"):
    shutil.rmtree(VECTORS / name, ignore_errors=True)
for path, data in vector_files().items():
    (VECTORS / path).parent.mkdir(parents=True, exist_ok=True)
    (VECTORS / path).write_bytes(data)
