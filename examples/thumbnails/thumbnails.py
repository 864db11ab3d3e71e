import numpy


def shrink(path, target, factor):
    """Writes a picture that is `factor` times smaller. Both are PPM files. Returns its width, height and mean colour."""
    with open(path, "rb") as file:
        kind, width, height, depth = (file.readline().strip() for _ in range(4))
        if (kind, depth) != (b"P6", b"255"):
            raise ValueError("%s is not a PPM file of 8 bits" % path)
        width, height = int(width), int(height)
        pixels = numpy.frombuffer(file.read(width * height * 3), "u1").reshape(height, width, 3)
    rows, columns = height // factor, width // factor
    blocks = pixels[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor, 3)
    small = blocks.mean(axis=(1, 3)).round().astype("u1")
    with open(target, "wb") as file:
        file.write(b"P6\n%d\n%d\n255\n" % (columns, rows))
        file.write(small.tobytes())
    return {"width": columns, "height": rows, "mean": [int(value) for value in small.mean(axis=(0, 1)).round()]}
