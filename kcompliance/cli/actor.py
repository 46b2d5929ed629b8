"""Who runs a command, as the log of an archive names it."""

import getpass
import os
import socket

__all__ = ["default_actor"]


def default_actor() -> str:
    """The user and the machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"
