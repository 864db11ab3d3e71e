import json
from multiprocessing.connection import Connection

connection = Connection(3)
try:
    while True:
        numbers = json.loads(connection.recv_bytes())
        answer = {"count": len(numbers), "mean": sum(numbers) / len(numbers)}
        connection.send_bytes(json.dumps(answer).encode())
except EOFError:
    print("Python done")
