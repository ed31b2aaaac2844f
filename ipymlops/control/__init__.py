"""Drive any platform and write the store; the only polling."""
