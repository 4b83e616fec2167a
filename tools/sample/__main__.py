"""Write the sample's files into a folder: `python -m tools.sample data/raw/sample`."""

import sys
from pathlib import Path

from .drawn import sample_files

for name, text in sample_files().items():
    (Path(sys.argv[1]) / name).write_bytes(text.encode("utf-8"))
