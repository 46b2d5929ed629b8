"""Makes what lies in `tests/vectors`, the same bytes each time: `python -m tests.vectors_builder`.

Two good archives, and what is done to them: with the key of their writer, or without it.
"""
