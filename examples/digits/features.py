"""What the network sees."""


def scaled(images):
    """Grey values of 0 to 16, as they come."""
    return images
