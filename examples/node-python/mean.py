def serve(connection):
    try:
        while True:
            numbers = connection.recv()
            connection.send({"count": len(numbers), "mean": sum(numbers) / len(numbers)})
    except EOFError:
        print("Python done")
