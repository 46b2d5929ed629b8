"""Azure Resource Manager on loopback: documented shapes, served to the unpatched SDKs."""
