# SPDX-License-Identifier: MIT
def serve(connection):
    try:
        import numpy
    except ImportError:
        connection.send("no numpy")
        return
    connection.send("ready")
    samples = connection.recv()
    assert isinstance(samples, numpy.ndarray)
    amplitudes = numpy.abs(numpy.fft.rfft(samples)) * 2 / len(samples)
    connection.send(amplitudes)
    matrix = connection.recv()
    connection.send(matrix @ matrix.T)
