# SPDX-License-Identifier: MIT
"""What the workers of the pools run, as pool-tasks.ts."""


def same(value):
    return value
