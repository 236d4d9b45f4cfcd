"""One short script per model."""
