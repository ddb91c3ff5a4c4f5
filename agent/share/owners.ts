/**
 * Whose a file is. A host's ids mean nothing in a container, so a file belongs to whoever looks at it
 * until somebody in a container gives it away with chown(2): that is kept here, by the file itself,
 * and so is the type of a FIFO or socket, which is an empty file on the host.
 */
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { Stat } from '../contract/share-wire.ts';
import type { Question, ShownAttributes } from './fuse-wire.ts';
import { keyOf, type Node } from './node-table.ts';

export interface Kept {
  uid?: number;
  gid?: number;
  /** S_IFIFO or S_IFSOCK. */
  type?: number;
}

const typeMask = 0o170000;

export class Owners {
  readonly #path: string;
  readonly #kept = new Map<string, Kept>();

  constructor(path: string) {
    this.#path = path;
    let lines = 0;
    for (const [key, kept] of readLines(path)) {
      lines++;
      this.#put(key, kept);
    }
    // What was overwritten since is left behind once it is more than what counts.
    if (lines > 2 * this.#kept.size + 100) this.#rewrite();
  }

  shown(node: Node, asker: Pick<Question, 'uid' | 'gid'>): ShownAttributes {
    const { stat } = node;
    const kept = this.#kept.size === 0 ? undefined : this.#kept.get(node.key);
    const mode = stat.readUInt32LE(Stat.mode);
    return {
      stat,
      uid: kept?.uid ?? asker.uid,
      gid: kept?.gid ?? asker.gid,
      mode: kept?.type === undefined ? mode : (mode & ~typeMask) | kept.type,
    };
  }

  /** S_IFMT bits. */
  typeOf(stat: Buffer): number {
    const type = stat.readUInt32LE(Stat.mode) & typeMask;
    return this.#kept.size === 0 ? type : (this.#kept.get(keyOf(stat))?.type ?? type);
  }

  keep(stat: Buffer, change: Kept): void {
    const key = keyOf(stat);
    this.#put(key, { ...this.#kept.get(key), ...change });
    appendFileSync(this.#path, line(key, this.#kept.get(key) ?? {}), { mode: 0o600 });
  }

  isKept(node: Node): boolean {
    return this.#kept.has(node.key);
  }

  /** The file is gone for good, and with it what was kept for it. */
  forget(node: Node): void {
    if (!this.#kept.delete(node.key)) return;
    appendFileSync(this.#path, line(node.key, {}), { mode: 0o600 });
  }

  #put(key: string, kept: Kept): void {
    if (Object.keys(kept).length === 0) this.#kept.delete(key);
    else this.#kept.set(key, kept);
  }

  #rewrite(): void {
    const next = `${this.#path}.next`;
    writeFileSync(next, [...this.#kept].map(([key, kept]) => line(key, kept)).join(''), {
      mode: 0o600,
    });
    renameSync(next, this.#path);
  }
}

const line = (key: string, kept: Kept) =>
  `${Buffer.from(key, 'latin1').toString('hex')} ${JSON.stringify(kept)}\n`;

function* readLines(path: string): Generator<[key: string, kept: Kept]> {
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    // The first time there is none.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  for (const row of text.split('\n')) {
    const match = /^([0-9a-f]{32}) (\{.*\})$/.exec(row);
    // A last line that was cut off by a power failure is no line.
    if (match === null) continue;
    yield [Buffer.from(match[1]!, 'hex').toString('latin1'), JSON.parse(match[2]!) as Kept];
  }
}
