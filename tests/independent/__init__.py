"""An archive read and checked by code that shares nothing with kcompliance.

Written from docs/archive-format.md alone: the standard library, `zstandard`, `cryptography`. It
takes each file whole into memory and says in words what is wrong; it is no match for hostile
archives of any size, but for any verdict: where it disagrees with kcompliance, one of the two, or
the document, is wrong.

`python -m tests.independent ARCHIVE --trust TRUST.toml` prints the events, or the problems.
"""
