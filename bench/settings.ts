// SPDX-License-Identifier: MIT

/** How long the event loop of our spinning asynchronous trials looks for messages before it sleeps. */
export const asyncSpinMicros = 50;
