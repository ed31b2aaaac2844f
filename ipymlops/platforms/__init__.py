"""The places that run jobs."""
