"""A repository becomes a snapshot, named by its content."""
