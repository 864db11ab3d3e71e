# SPDX-License-Identifier: MIT
def has_numpy():
    try:
        import numpy
    except ImportError:
        return False
    return True


def edges(picture):
    """Draws the edges of a picture in place of it: an ordinary array of numpy, over the memory of Node."""
    import numpy
    brightness = picture.astype("f4").mean(axis=2)
    down, right = numpy.gradient(brightness)
    strength = numpy.clip(numpy.hypot(down, right) * 4, 0, 255)
    picture[:] = strength[:, :, None]
    return picture
