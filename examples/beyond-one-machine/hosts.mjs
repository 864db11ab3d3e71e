// SPDX-License-Identifier: MIT
//
// Hosts in the place of machines: network namespaces, for which a user must be root and have iproute2. Without them the hosts
// are processes only.
import { spawnSync } from 'node:child_process';

/** @param {string[]} args */
function ip(...args) {
  const { status, stderr, error } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(error?.message ?? stderr.trim());
}

/**
 * @typedef {object} Host
 * @property {string} redis The address at which it finds Redis.
 * @property {string[]} prefix What a command begins with to run there.
 * @property {() => void} remove
 */

/**
 * @param {number} number
 * @returns {Host}
 */
function makeHost(number) {
  const [name, cable] = [`mp-${process.pid}-${number}`, `mp${process.pid}-${number}`];
  const [near, far] = [`10.78.${number}.1`, `10.78.${number}.2`];
  const remove = () => ip('netns', 'del', name);
  ip('netns', 'add', name);
  try {
    ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    ip('address', 'add', `${near}/30`, 'dev', cable);
    ip('link', 'set', cable, 'up');
    ip('-n', name, 'address', 'add', `${far}/30`, 'dev', 'eth0');
    ip('-n', name, 'link', 'set', 'eth0', 'up');
  } catch (error) {
    remove();
    throw error;
  }
  return { redis: near, prefix: ['ip', 'netns', 'exec', name], remove };
}

/**
 * @param {number} count
 * @returns {{ hosts: Host[], kind: string }} The hosts, and what they are.
 */
export function makeHosts(count) {
  /** @type {Host[]} */
  const hosts = [];
  try {
    for (let number = 1; number <= count; number++) hosts.push(makeHost(number));
    return { hosts, kind: 'network namespaces' };
  } catch (error) {
    for (const host of hosts) host.remove();
    const plain = Array.from({ length: count }, () => ({ redis: '127.0.0.1', prefix: [], remove: () => undefined }));
    return {
      hosts: plain,
      kind: `processes, since there are no network namespaces (${/** @type {Error} */ (error).message})`,
    };
  }
}
