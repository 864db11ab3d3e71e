# SPDX-License-Identifier: MIT
def say_on(connection):
    connection.send_bytes(b"started")
