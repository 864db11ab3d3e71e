// SPDX-License-Identifier: MIT
import { spawn } from 'node:child_process';

/** Far above the longest trial: a program that hangs must end the run with a message instead of stopping it. */
const watchdogMs = 20_000;

/** Runs one program to its end. Resolves to its output; rejects with its error output if it fails or hangs. */
export function runProgram(command: readonly string[], extraSeconds = 0): Promise<string> {
  const [file = '', ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let complaints = '';
    let hung = false;
    const limitMs = watchdogMs + 1000 * extraSeconds;
    const watchdog = setTimeout(() => {
      hung = true;
      // The program's own child sees the end of the connection and ends as well.
      child.kill('SIGKILL');
    }, limitMs);
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(watchdog);
      if (code === 0) resolve(output);
      else
        reject(
          new Error(`${hung ? `hung for ${limitMs / 1000} s` : `ended with ${signal ?? code}`}\n${complaints.trim()}`),
        );
    });
  });
}

/** Runs a program whose only output is one JSON document. `extraSeconds`: how much longer than a trial it may take. */
export async function runForJson(command: readonly string[], extraSeconds = 0): Promise<unknown> {
  return JSON.parse(await runProgram(command, extraSeconds));
}
