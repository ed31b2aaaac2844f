"""GPU names, the grammar of `--gpu`, and the GPUs of this machine."""

from ipymlops.hardware.gpu import GpuAsk, matches, parse_gpu

__all__ = ["GpuAsk", "matches", "parse_gpu"]
