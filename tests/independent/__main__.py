"""`python -m tests.independent ARCHIVE [--trust TRUST.toml] [--events STREAM]`."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.independent.archive import events, verify
from tests.independent.trust import read_trust

parser = argparse.ArgumentParser(description="Check an archive, or print its events.")
parser.add_argument("archive", type=Path)
parser.add_argument("--trust", type=Path)
parser.add_argument("--events", metavar="STREAM")
given = parser.parse_args()
trust = read_trust(given.trust.read_bytes()) if given.trust else None
if given.events:
    for line in events(given.archive, trust, given.events):
        sys.stdout.buffer.write(line + b"\n")
else:
    verdict = verify(given.archive, trust, datetime.now(UTC))
    for problem in (*verdict.grave, *verdict.open):
        sys.stdout.write(problem + "\n")
    sys.exit(verdict.exit_code)
