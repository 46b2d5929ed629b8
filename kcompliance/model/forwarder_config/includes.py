"""Which of a forwarder's files another one includes."""

from posixpath import dirname, join, normpath

from kcompliance.model.forwarder_config.globs import path_matches
from kcompliance.model.forwarder_config.interface import ConfigFiles

__all__ = ["included"]


def included(files: ConfigFiles, wanted: str, by: str) -> list[str]:
    """The files of this path or glob, which may be relative to the file that names it."""
    pattern = normpath(wanted if wanted.startswith("/") else join(dirname(by), wanted))
    return sorted(path for path in files.texts if path != by and path_matches(pattern, path))
