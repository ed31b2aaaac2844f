"""GPU names and what `--gpu` may say."""
