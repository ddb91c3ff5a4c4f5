/** A change on the host, as received and as it waits for its replay. */
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
  /**
   * Path of the folder at the time of the change, by which the kernel knows it when all earlier changes were
   * replayed.
   */
  folderPath: string;
  /** Nodes from the root to the folder. */
  way: readonly Node[];
}

/** A received change with the nodes that it meant then: the table is ahead of the kernel. */
export interface Change {
  kind: number;
  stat: Buffer;
  at: Place;
  /** Node that had the name; for a created or unseen file, the node that gets it. */
  node: Node | undefined;
  to: Place | undefined;
  /** Current place on the host; an unknown node enters the table there. */
  now: Place;
  /** True when the node entered the table only for the replay. */
  isEntered: boolean;
  /** Node that a rename replaced. */
  replaced: Node | undefined;
  /** Node whose staleTells includes this change until it was replayed. */
  stale: Node | undefined;
  /** Time in the table's clock of lost attributes, which the kernel must request at once. */
  asksFor?: number;
}

/** A folder in the path of a place, as it was at the time of the change. */
export function childOnWay(
  { way, folderPath }: Place,
  folder: Node,
  name: string,
): Node | undefined {
  const index = way.indexOf(folder);
  return index !== -1 && folderPath.split('/')[index] === name ? way[index + 1] : undefined;
}
