/** A change of the host's: as it was told, and as it waits for the kernel to be told. */
import { ChangeKind, type FrameReader, statBytes } from '../contract/share-wire.ts';
import { copyStat } from './fuse-wire.ts';
import type { Node } from './node-table.ts';

export interface Told {
  kind: number;
  path: string;
  newPath: string;
  stat: Buffer;
}

export function* readChanges(reader: FrameReader): Generator<Told> {
  while (reader.left > 0) {
    const kind = reader.u8();
    const path = reader.name();
    const newPath = kind === ChangeKind.renamed ? reader.name() : '';
    yield { kind, path, newPath, stat: copyStat(reader.raw(statBytes)) };
  }
}

export interface Place {
  folder: Node;
  name: string;
  /** The folder's path when the host told of it, by which the kernel knows it once all before is told. */
  folderPath: string;
  /** From the root to the folder. */
  way: readonly Node[];
}

/** What the host told, and the nodes that it meant then: the table goes ahead of the kernel. */
export interface Change {
  kind: number;
  stat: Buffer;
  at: Place;
  /** What had the name; for a made one, or one that nobody has seen, what gets it. */
  node: Node | undefined;
  to: Place | undefined;
  /** Where the host has it by now; a node that is not known yet enters the table there. */
  now: Place;
  /** The table did not have it before the kernel was told. */
  isEntered: boolean;
  /** What a rename took the place of. */
  replaced: Node | undefined;
  /** Counts until then in this node's staleTells. */
  stale: Node | undefined;
  /** By the table's clock: of a lost one's attributes, which the kernel is to ask for at once. */
  asksFor?: number;
}

/** A folder on the way to a place, as it was when the host told of it. */
export function childOnWay(
  { way, folderPath }: Place,
  folder: Node,
  name: string,
): Node | undefined {
  const index = way.indexOf(folder);
  return index !== -1 && folderPath.split('/')[index] === name ? way[index + 1] : undefined;
}
