"""One node, looked at through its own folders (`--node-root`)."""
