// SPDX-License-Identifier: MIT
//
// Conversations with the peers that exist in several languages and start in the same way.
import { makeConversation, makePair, type AnyConnection, type Kind } from './channels.js';
import type { Cell } from './coverage.js';
import { cPeer, nodePeer, pythonPeer, spawnPeer, type Peer, type Program } from './peers.js';
import { edgePythons, newestPython, pythons, type Python } from './pythons.js';
import type { ConnectionOptions } from 'node-multiprocessing';

/** A language of peers: how to find its programs, and its name in the coverage table. */
export interface Language {
  readonly label: string;
  /** The program with the modes of test/peers/peer.py. C has only the mode of test/peers/echo.c. */
  program(): Program;
}

const node: Language = { label: 'node', program: () => nodePeer('peer') };
const c: Language = { label: 'c', program: () => cPeer('echo') };

function python(interpreter: Python): Language {
  return { label: `python${interpreter.version}`, program: () => pythonPeer(interpreter, 'peer') };
}

/** Node and every Python. */
export function allPeers(): Language[] {
  return [node, ...pythons().map(python)];
}

/** Node, the oldest and the newest Python. */
export function somePeers(): Language[] {
  return [node, ...edgePythons().map(python)];
}

/** Node and the newest Python. */
export function fewPeers(): Language[] {
  return [node, python(newestPython())];
}

/** C, Node and every Python. */
export function everyPeer(): Language[] {
  return [c, ...allPeers()];
}

/** A conversation, and the peer at its other end. */
export interface Talk {
  readonly peer: Peer;
  readonly reader: AnyConnection;
  readonly writer: AnyConnection;
}

export interface TalkOptions extends ConnectionOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a peer that receives and sends, in the named mode. */
export function startTalk(language: Language, kind: Kind, mode: string, options: TalkOptions = {}): Talk {
  const { args = [], env = {}, ...ours } = options;
  const { reader, writer, theirs } = makeConversation(kind, ours);
  const program = language.program();
  const forC = theirs.length === 1 ? ['3'] : ['3', '4'];
  const forOthers = [mode, theirs.length === 1 ? 'duplex' : 'pipes', ...args];
  const peer = spawnPeer(program, { fds: theirs, args: program.language === 'c' ? forC : forOthers, env });
  return { peer, reader, writer };
}

/** Starts a peer that only receives, and returns the Connection to send on. */
export function startSink(
  language: Language,
  kind: Kind,
  mode = 'sink',
  options: TalkOptions = {},
): { peer: Peer; writer: AnyConnection } {
  const { args = [], env = {}, ...ours } = options;
  const { reader, writer } = makePair(kind, ours);
  const ends = kind === 'pipe' ? 'reader' : 'duplex';
  return { peer: spawnPeer(language.program(), { fds: [reader], args: [mode, ends, ...args], env }), writer };
}

/** Starts a peer that only sends, and returns the Connection to receive from. */
export function startSource(
  language: Language,
  kind: Kind,
  mode: string,
  options: TalkOptions = {},
): { peer: Peer; reader: AnyConnection } {
  const { args = [], env = {}, ...ours } = options;
  const { reader, writer } = makePair(kind, ours);
  const ends = kind === 'pipe' ? 'writer' : 'duplex';
  return { peer: spawnPeer(language.program(), { fds: [writer], args: [mode, ends, ...args], env }), reader };
}

/** The two cells of a conversation. */
export function cellsOf(peer: string, cell: Omit<Cell, 'peer' | 'direction'>): [Cell, Cell] {
  return [
    { peer, direction: 'send', ...cell },
    { peer, direction: 'receive', ...cell },
  ];
}
