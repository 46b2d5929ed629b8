"""Real servers on loopback for the tests: how they are had, started, asked and stopped."""
