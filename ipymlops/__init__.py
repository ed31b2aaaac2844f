"""Train this repository's code as it stands, as a container job, from one notebook line."""

__version__ = "0.1.0"
