// SPDX-License-Identifier: MIT
import { provide } from '../parts.js';
import { takePickled } from '../python/taking.js';

provide('python', { takePickled });
