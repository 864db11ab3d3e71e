// SPDX-License-Identifier: MIT
import { provide } from '../reduction/registry.js';
import { takePickled } from '../python/rebuild.js';

provide('python', { takePickled });
