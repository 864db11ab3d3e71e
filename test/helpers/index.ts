// SPDX-License-Identifier: MIT
import './hooks.js';

export * from './assertions.js';
export * from './channels.js';
export * from './coverage.js';
export * from './descriptors.js';
export * from './environment.js';
export * from './fairness.js';
export * from './listeners.js';
export * from './object-coverage.js';
export * from './opcodes.js';
export * from './peers.js';
export * from './pickles.js';
export * from './python-processes.js';
export * from './pythons.js';
export * from './talk.js';
