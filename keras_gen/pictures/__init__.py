"""Pictures of examples and of densities."""
