"""The contract suites and a fake platform, for authors of plug-ins."""
