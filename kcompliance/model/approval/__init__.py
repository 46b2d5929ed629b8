"""What somebody approved of, and how it differs from what runs."""
