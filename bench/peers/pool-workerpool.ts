// SPDX-License-Identifier: MIT
import { loadInstalled } from '../paths.js';
import { same } from './pool-tasks.js';

(loadInstalled('workerpool') as { worker(functions: object): void }).worker({ same });
