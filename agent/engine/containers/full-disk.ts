/** Failures that mean no more than that the disk of the containers is full. */
import { CortenError } from '../../errors.ts';
import { hasRoom } from '../../kernel/disk-room.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { type EnginePaths, layersDirectory } from '../paths.ts';

/** Overlayfs wants room for its work directory, and what is kept back changes meanwhile. */
const almostNoBytes = 1024 ** 2;

/** With the cause and the next step, if that is it, and else as it was. */
export function explainFullDisk(error: unknown, what: string, paths: EnginePaths): unknown {
  if (!hasErrno(error, 'ENOSPC', 'EDQUOT')) return error;
  const full = fullIn(paths);
  if (full === undefined) return error;
  return new CortenError(
    'unavailable',
    `no space left on device: ${full}, so ${what}. Remove what is not used (docker system prune) or make the disk larger.`,
    { cause: error },
  );
}

function fullIn(paths: EnginePaths): string | undefined {
  if (!hasRoom(paths.root, almostNoBytes)) return `the disk of ${paths.root} is full`;
  if (!hasRoom(layersDirectory(paths), almostNoBytes))
    return `containers have written all that they may of the disk of ${paths.root}, whose rest is the machine's`;
  return undefined;
}
