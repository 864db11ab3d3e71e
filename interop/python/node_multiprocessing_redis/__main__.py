# SPDX-License-Identifier: MIT
import os
import sys

# A process that a task starts may run this file under another name.
if __name__ == '__main__':
    if not __package__:
        # Python was given the folder, and looks in it instead of beside it.
        sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

    from node_multiprocessing_redis.command import main

    main()
