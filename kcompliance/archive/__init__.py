"""The archive: reads events from where they are, writes immutable segments, commits them to a log.

The way of data, one module a step: a source (`elasticsearch/`, `files/`) plans and reads, a
`segment_writer` makes objects, a store takes them, `commit` signs for them; the other way `log`
reads what was committed, `segment_reader` the events, and `verify/` judges it all.
"""
