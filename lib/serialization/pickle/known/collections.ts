// SPDX-License-Identifier: MIT
import { NEW_DICT, reducerTable, type Reducer } from '../hooks.js';
import { isDict } from '../dicts.js';
import { items, pairs, refuse } from './arguments.js';

const orderedDict: Reducer = {
  pure: true,
  most: 1,
  byInit: true,
  call: ([entries], budget) => new Map(pairs(entries, budget)),
};

/** The factory of a defaultdict is not used, but must be a known global. */
const defaultdict: Reducer = {
  pure: true,
  most: 1,
  byInit: true,
  call: () => NEW_DICT,
};

/** Made of a dict, which takes its place. */
const counter: Reducer = {
  pure: true,
  most: 1,
  byInit: true,
  call([counts]) {
    if (counts === undefined) return NEW_DICT;
    return isDict(counts) || counts instanceof Map ? counts : refuse('its argument is not a dict');
  },
};

export const collectionsReducers = reducerTable({
  collections: {
    Counter: counter,
    OrderedDict: orderedDict,
    defaultdict,
    deque: { pure: true, most: 2, byInit: true, call: ([values], budget) => [...items(values, budget)] },
  },
});
