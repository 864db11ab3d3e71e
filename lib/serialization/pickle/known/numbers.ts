// SPDX-License-Identifier: MIT
import { valueOf } from '../dicts.js';
import { reducerTable, type Reducer } from '../hooks.js';
import { create, PythonGlobal, reduce, type PickleNode } from '../nodes.js';
import { Decimal, UUID } from '../values.js';
import { refuse, text } from './arguments.js';

const decimal: Reducer = { pure: true, most: 1, call: ([digits]) => new Decimal(text(digits, 'the number')) };

/** Made empty. Its state is its number. */
const uuid: Reducer = {
  pure: true,
  most: 0,
  call: () => new UUID('0'.repeat(32)),
  build(_, state) {
    const number = valueOf(state, 'int');
    if (typeof number !== 'number' && typeof number !== 'bigint') return refuse('it has no number');
    if (number < 0) return refuse('its number is negative');
    return new UUID(number.toString(16).padStart(32, '0'));
  },
};

export const numberReducers = reducerTable({ decimal: { Decimal: decimal }, uuid: { UUID: uuid } });

const DECIMAL = new PythonGlobal('decimal', 'Decimal');
const UUID_CLASS = new PythonGlobal('uuid', 'UUID');

export const numberEncoders: readonly [object, (object: never) => PickleNode][] = [
  [Decimal.prototype, ({ text: digits }: Decimal) => reduce(DECIMAL, [digits])],
  [
    UUID.prototype,
    ({ text: digits }: UUID) => create(UUID_CLASS, [], { int: BigInt(`0x${digits.replaceAll('-', '')}`) }),
  ],
];
