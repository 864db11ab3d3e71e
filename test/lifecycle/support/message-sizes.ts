// SPDX-License-Identifier: MIT

/** Sizes of messages around the limits at which their treatment changes. */
export const sizes: readonly number[] = [8, 100, 4092, 4096, 16384, 65532, 65536, 65537, 200_000, 1_500_000];
