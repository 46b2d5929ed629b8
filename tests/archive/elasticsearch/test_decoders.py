"""Several threads at once get the decoder of a shape that nobody has used before."""

import subprocess
import sys

from tests.cli.command import ROOT, environment

IN_A_PROCESS = """
import sys, threading
import msgspec
from kcompliance.search.connection import decoder_of

def decode(shape):
    ready.wait()
    assert decoder_of(shape).decode(b'{"inner":{"total":1},"id":"x"}').inner.total == 1
    done.append(shape)

sys.setswitchinterval(1e-6)
done = []
for _ in range(200):
    class Inner(msgspec.Struct):
        total: int
        failed: int = 0

    class Outer(msgspec.Struct):
        inner: Inner
        id: str | None = None
        other: str | None = None

    ready = threading.Barrier(4)
    threads = [threading.Thread(target=decode, args=(Outer,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
assert len(done) == 4 * 200
"""


def test_threads_share_the_making_of_a_decoder() -> None:
    """Without a lock msgspec 0.22 ends the process with a segmentation fault."""
    subprocess.run([sys.executable, "-c", IN_A_PROCESS], cwd=ROOT, env=environment(), check=True)
