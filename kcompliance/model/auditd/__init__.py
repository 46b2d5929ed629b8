"""The kernel's audit: its rules, what they cover, and whether it runs."""
