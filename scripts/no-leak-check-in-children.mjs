// SPDX-License-Identifier: MIT
//
// Loaded into mocha's process when the tests run with the address sanitizer. That process has read its options by then and
// ends naturally, with V8's memory freed, so its leaks are real. Its children often end by process.exit() or a signal and
// would report all of V8.
process.env['ASAN_OPTIONS'] = process.env['ASAN_OPTIONS']?.replace('detect_leaks=1', 'detect_leaks=0');
