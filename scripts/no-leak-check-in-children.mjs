// SPDX-License-Identifier: MIT
//
// Mocha's process loads this file when the tests run with the address sanitizer. The sanitizer has read its options by then, so
// this changes only those of child processes. Mocha's process returns from its event loop and V8 frees its memory, so the leaks
// that the sanitizer finds there are real. Its children often end by process.exit() or by a signal, and would report all memory
// of V8.
process.env['ASAN_OPTIONS'] = process.env['ASAN_OPTIONS']?.replace('detect_leaks=1', 'detect_leaks=0');
