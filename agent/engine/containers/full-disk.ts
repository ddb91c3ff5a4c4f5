/** Explains failures that only mean that the disk of the containers is full. */
import { CortenError } from '../../errors.ts';
import { hasFreeSpace } from '../../kernel/disk-free-space.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { type EnginePaths, layersDirectory, spaceName } from '../paths.ts';

/**
 * A disk with less than this counts as full: overlayfs needs some space for its work directory, and
 * the kernel's reserve varies.
 */
const almostNoBytes = 1024 ** 2;

const makeRoom = 'Remove what is not used (docker system prune) or make the disk larger.';

/**
 * Returns an error that names the cause and the next step when the disk is full, and `error` itself
 * otherwise.
 */
export function explainFullDisk(error: unknown, what: string, paths: EnginePaths): unknown {
  if (!hasErrno(error, 'ENOSPC', 'EDQUOT')) return error;
  const full = fullIn(paths) ?? fullAt(error, paths);
  if (full === undefined) return error;
  const { cause, nextStep } = full;
  return new CortenError(
    'unavailable',
    `no space left on device: ${cause}, so ${what}. ${nextStep}`,
    { cause: error },
  );
}

interface Full {
  cause: string;
  nextStep: string;
}

function fullIn(paths: EnginePaths): Full | undefined {
  if (!hasFreeSpace(paths.root, almostNoBytes))
    return { cause: `the disk of ${paths.root} is full`, nextStep: makeRoom };
  if (!hasFreeSpace(layersDirectory(paths), almostNoBytes))
    return {
      cause: `containers have written all that they may of the disk of ${paths.root}, whose rest is the machine's`,
      nextStep: makeRoom,
    };
  return undefined;
}

/**
 * The cause of an ENOSPC while the disk has space again, or while only the container's own limit is
 * reached.
 */
function fullAt(error: unknown, paths: EnginePaths): Full | undefined {
  const path = error instanceof Error && 'path' in error ? String(error.path) : '';
  const isLayer = path.startsWith(`${layersDirectory(paths)}/`) || path.includes(`/${spaceName}/`);
  if (!isLayer || !path.startsWith(paths.root)) return undefined;
  return {
    cause: 'its writable layer had no free space left',
    nextStep: `Try again, or raise its disk limit if it has one. ${makeRoom}`,
  };
}
