"""What AWS answered, understood: pure readers of its own JSON, one module for each subject."""
