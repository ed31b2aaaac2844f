"""What runs beside the script, in the container or on this machine: standard library of Python 3.8, nothing else."""
