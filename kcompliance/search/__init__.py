"""HTTP with Elasticsearch and OpenSearch: bounded answers, repeats, faults in words, credentials.

Below everything that asks a search server: the source of archives and the collector of scans.
"""
