# SPDX-License-Identifier: MIT
"""The program: ``python -m node_multiprocessing_redis worker``."""
import os
import sys

# A process that a task starts may run this file under another name.
if __name__ == '__main__':
    if not __package__:
        # This file was named, or its folder. Python has put the folder in the place of the one around it.
        sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

    from node_multiprocessing_redis.command import main

    main()
