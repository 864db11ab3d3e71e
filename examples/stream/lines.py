import gzip


def unpack(path, size):
    """Yields what a gzip file contains, in pieces of `size` bytes."""
    with gzip.open(path) as file:
        try:
            while piece := file.read(size):
                yield piece
        finally:
            # Also when Node has enough: the generator is closed, as that of a `for` with `break` is.
            print("Python has closed the file", flush=True)
