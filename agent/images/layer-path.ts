/** Names inside a layer: cleaned, bounded, and told apart from whiteouts (OCI layer.md). */
import type { FileName } from '../kernel/files.ts';
import { LayerError } from './layer-error.ts';

/** path_resolution(7): the kernel takes paths of up to 4096 bytes with the NUL. */
const maxPathBytes = 4095;
const maxDepth = 256;

const whiteoutPrefix = '.wh.';
/** AUFS's own bookkeeping, which Docker passes over too; of it only `.wh..wh..opq` means anything. */
const auxiliaryPrefix = '.wh..wh.';
const opaqueMarker = '.wh..wh..opq';

/**
 * A name as its components. Names are relative to the layer's root, also those that begin with a
 * slash: ko and `tar -P` write them so, and no tool reads them otherwise. One that climbs above the
 * root is hostile.
 */
export function componentsOf(name: string): string[] {
  if (name.length > maxPathBytes)
    throw new LayerError('a path is longer than the kernel takes', name);
  if (name.includes('\0')) throw new LayerError('a path holds a NUL', name);
  const components: string[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') components.push(part);
    else if (components.pop() === undefined) throw new LayerError('a path leaves the layer', name);
  }
  if (components.length > maxDepth)
    throw new LayerError(`a path is nested more than ${maxDepth} deep`, name);
  return components;
}

export type Marking =
  | { kind: 'none' }
  | { kind: 'opaque' }
  | { kind: 'whiteout'; name: string }
  | { kind: 'auxiliary' };

/** What a base name means. */
export function markingOf(base: string, wholeName: string): Marking {
  if (base === opaqueMarker) return { kind: 'opaque' };
  if (base.startsWith(auxiliaryPrefix)) return { kind: 'auxiliary' };
  if (!base.startsWith(whiteoutPrefix)) return { kind: 'none' };
  const name = base.slice(whiteoutPrefix.length);
  if (name === '' || name === '.' || name === '..')
    throw new LayerError('a whiteout names nothing', wholeName);
  return { kind: 'whiteout', name };
}

/** Bytes (one character each) as the kernel takes them: plain text while it is ASCII. */
export function kernelName(bytes: string): FileName {
  return /^[\x01-\x7f]*$/.test(bytes) ? bytes : Buffer.from(`${bytes}\0`, 'latin1');
}
