"""What a recorded audit log would have been under another policy.

    log = Replay(new, against=old)
    log.read("audit.log", pieces)
    log.result()

Pure: whoever calls opens the files. Memory does not grow with the log.
"""

from kcompliance.model.replay.lines import batches
from kcompliance.model.replay.losses import Example, Loss, LossKind
from kcompliance.model.replay.replay import Replay
from kcompliance.model.replay.result import (
    Disagreement,
    FileRead,
    MissingStage,
    Replayed,
    Row,
    Unread,
    Volume,
)

__all__ = [
    "Disagreement",
    "Example",
    "FileRead",
    "Loss",
    "LossKind",
    "MissingStage",
    "Replay",
    "Replayed",
    "Row",
    "Unread",
    "Volume",
    "batches",
]
