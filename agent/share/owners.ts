/**
 * Owners of files. A host's IDs have no meaning in a container, so a file belongs to each user who looks at it, until
 * chown(2) in a container gives it to another: that is stored here by file, as is the type of a FIFO or socket, which
 * is an empty file on the host.
 */
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { Stat } from '../contract/share-wire.ts';
import type { Question, ShownAttributes } from './fuse-wire.ts';
import { keyOf, type Node } from './node-table.ts';

export interface Kept {
  uid?: number;
  gid?: number;
  /** Type bits S_IFIFO or S_IFSOCK. */
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
    // The file is rewritten when outdated lines outnumber current ones.
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

  /** Type bits (S_IFMT). */
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

  /** Forgets a removed file. */
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
    // The file is absent at first.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  for (const row of text.split('\n')) {
    const match = /^([0-9a-f]{32}) (\{.*\})$/.exec(row);
    // A line that a power failure cut off is skipped.
    if (match === null) continue;
    yield [Buffer.from(match[1]!, 'hex').toString('latin1'), JSON.parse(match[2]!) as Kept];
  }
}
