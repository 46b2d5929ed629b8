"""The source `files`: kube-apiserver's own audit log files, and AKS's blobs of audit logs.

A file is known by the SHA-256 of its first line, which stays when the file is renamed, copied or
compressed; what is archived of it is a number of bytes, up to the end of a line. So the rest of a
rotated file is found under its new name, in the folder that is archived or beside the file that
was named. What nobody can know: whether a file was rotated away and deleted before the rest of it
was archived, or between two runs from its first line to its last. Keep rotated files
(`--audit-log-maxbackup`) for longer than the pause between two runs, and name their folder.

A file that is told apart by its first line alone must have one of its own: audit events have
(`auditID`, times). Files that begin with the same line are copies, and the longest of them counts;
if they differ where the shorter one ends, neither is archived.
"""

from kcompliance.archive.files.faults import FileChanged, FileDamaged
from kcompliance.archive.files.notes import FileNote
from kcompliance.archive.files.options import FilesOptions
from kcompliance.archive.files.source import FileSource

__all__ = ["FileChanged", "FileDamaged", "FileNote", "FileSource", "FilesOptions"]
