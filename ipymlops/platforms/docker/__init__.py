"""Jobs as containers of this machine, through the Docker API."""
