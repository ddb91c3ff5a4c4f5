/** Reading and writing the kernel's control files, with errors that carry path and value. */
import { existsSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { conflict, invalid } from '../errors.ts';
import { withFd } from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';

/** A control file that could not be written, with its path, the value and errno. */
export class ControlFileError extends Error {
  readonly path: string;
  readonly value: string;
  readonly code: string;

  constructor(path: string, value: string, cause: unknown) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    super(`writing "${value}" to ${path}: ${code}`, { cause });
    this.name = 'ControlFileError';
    this.path = path;
    this.value = value;
    this.code = code;
  }
}

export function writeControl(directory: string, file: string, value: string | number): void {
  const path = `${directory}/${file}`;
  try {
    writeFileSync(path, String(value));
  } catch (error) {
    throw new ControlFileError(path, String(value), error);
  }
}

/** Writes several values into one file that takes one value per write. */
export function writeControls(directory: string, file: string, values: readonly string[]): void {
  const path = `${directory}/${file}`;
  let last = '';
  try {
    withFd(openSync(path, 'w'), (fd) => {
      for (const value of values) {
        last = value;
        writeSync(fd, value);
      }
    });
  } catch (error) {
    throw new ControlFileError(path, last, error);
  }
}

/**
 * Writes a requested limit. A value that the kernel refuses is invalid; one that current usage
 * forbids is a conflict. `limit` is the name in the message.
 */
export function writeLimit(
  directory: string,
  file: string,
  value: string | number,
  limit: string,
): void {
  try {
    writeControl(directory, file, value);
  } catch (error) {
    if (hasErrno(error, 'EBUSY'))
      throw conflict(
        `The ${limit} cannot become ${value}: the container uses more than that now. Stop some of what runs inside, or choose a higher limit.`,
        error,
      );
    if (hasErrno(error, 'EINVAL', 'ERANGE', 'ENODEV', 'EOVERFLOW', 'ENXIO'))
      throw invalid(`The kernel refuses ${value} as ${limit} (${file}).`, error);
    throw error;
  }
}

export function hasControl(directory: string, file: string): boolean {
  return existsSync(`${directory}/${file}`);
}

/** The file's text without its last newline; throws when there is no such file. */
export function readControl(directory: string, file: string): string {
  return readFileSync(`${directory}/${file}`, 'utf8').trimEnd();
}

/** Returns undefined when this kernel has no such file. */
export function readControlIfAny(directory: string, file: string): string | undefined {
  try {
    return readControl(directory, file);
  } catch (error) {
    // ENODEV: the group was removed while the file was open. ENOTSUP: swap accounting is off.
    if (hasErrno(error, 'ENOENT', 'ENODEV', 'ENOTSUP', 'EOPNOTSUPP')) return undefined;
    throw error;
  }
}

/** How the readers of usage get a file: opened anew, or through {@link OpenControlFiles}. */
export type ReadFile = typeof readControlIfAny;

/** v1 says "no limit" with numbers near 2^63. */
const unlimitedFrom = 2 ** 60;

/** A number; 0 when the file is not there. */
export function readCount(directory: string, file: string, read: ReadFile = readControlIfAny) {
  return Number(read(directory, file) ?? 0);
}

/** A limit in bytes or processes. Undefined means no limit. */
export function readBound(
  directory: string,
  file: string,
  read: ReadFile = readControlIfAny,
): number | undefined {
  const text = read(directory, file);
  if (text === undefined || text === 'max' || text === '-1') return undefined;
  const value = Number(text);
  return value >= unlimitedFrom ? undefined : value;
}

/** A "flat keyed" file: one `name value` a line (cgroup-v2.rst, "Format"). */
export function readKeyed(
  directory: string,
  file: string,
  read: ReadFile = readControlIfAny,
): Record<string, number> {
  const entries: Record<string, number> = {};
  for (const line of (read(directory, file) ?? '').split('\n')) {
    const space = line.indexOf(' ');
    if (space > 0) entries[line.slice(0, space)] = Number(line.slice(space + 1));
  }
  return entries;
}
