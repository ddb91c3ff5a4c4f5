import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { invalid, notFound } from '../../errors.ts';
import { O_PATH, openInRootIfAny } from '../../kernel/files.ts';
import { openTree } from './open-tree.ts';
import type { Snapshot } from './snapshot.ts';

/** Of a Dockerfile, an ignore file and the like; more is somebody's mistake. */
const maxFileBytes = 64 * 1024 ** 2;

/** A regular file, links resolved inside the tree. Throws not-found, and invalid for what is no file or is absurd. */
export function readFileIn(tree: Snapshot, path: string): Buffer {
  const place = openPlace(tree, path);
  if (place === undefined) throw notFound(`${path}: no such file or directory`);
  try {
    const stat = fstatSync(place);
    // Looked at first: to open a FIFO waits for a writer, and to open a device can act.
    if (!stat.isFile()) throw invalid(`${path} is not a regular file`);
    if (stat.size > maxFileBytes)
      throw invalid(`${path} has ${stat.size} bytes, more than the ${maxFileBytes} that are read`);
    const fd = openSync(`/proc/self/fd/${place}`, 'r');
    try {
      return readFileSync(fd);
    } finally {
      closeSync(fd);
    }
  } finally {
    closeSync(place);
  }
}

export function hasFile(tree: Snapshot, path: string): boolean {
  const place = openPlace(tree, path);
  if (place !== undefined) closeSync(place);
  return place !== undefined;
}

/** An O_PATH descriptor, which opens nothing; undefined when there is nothing. */
function openPlace(tree: Snapshot, path: string): number | undefined {
  const root = openTree(tree);
  if (root === undefined) return undefined;
  try {
    return openInRootIfAny(root, path, O_PATH);
  } finally {
    closeSync(root);
  }
}
