"""What runs beside the script, in the container or on this machine: the standard library of Python 3.8 and nothing else."""
