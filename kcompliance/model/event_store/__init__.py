"""What a store of audit events tells of them, whichever store it is."""
