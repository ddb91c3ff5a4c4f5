/** The list of shared folders, in `folders.json` of the app's configuration directory. */
import {
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, relative, sep } from 'node:path';
import type { SharedFolder } from '../../contract/folders.ts';

export interface FolderList {
  all(): readonly SharedFolder[];
  notices(): readonly string[];
  /** Throws with cause and next step for a folder that cannot be shared. */
  add(folder: SharedFolder): void;
  remove(path: string): void;
  /** Calls the listener after each change. */
  onChange(listener: () => void): () => void;
}

/** By default the user's home directory is shared, as with other engines. */
const byDefault = (): SharedFolder[] => [{ path: homedir(), readOnly: false }];

export function openFolderList(file: string): FolderList {
  const listeners = new Set<() => void>();
  const notices: string[] = [];
  let folders = read(file, notices);

  function change(next: SharedFolder[]): void {
    try {
      write(file, next);
    } catch (error) {
      throw new Error(
        `The list of shared folders could not be written: ${(error as Error).message}. Check that ${file} can be written.`,
        { cause: error },
      );
    }
    folders = next;
    for (const listener of listeners) listener();
  }

  return {
    all: () => folders,
    notices: () => notices,
    add({ path, readOnly }) {
      const real = checked(path);
      const other = folders.find(
        (folder) => contains(folder.path, real) || contains(real, folder.path),
      );
      if (other !== undefined)
        throw new Error(
          contains(other.path, real)
            ? `${real} is shared already, with ${other.path}.`
            : `${real} contains ${other.path}, which is shared. Take that one away first.`,
        );
      change([...folders, { path: real, readOnly }]);
    },
    remove: (path) => change(folders.filter((folder) => folder.path !== path)),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function read(file: string, notices: string[]): SharedFolder[] {
  try {
    const { folders } = JSON.parse(readFileSync(file, 'utf8')) as { folders: SharedFolder[] };
    return folders
      .filter(({ path }) => typeof path === 'string' && isAbsolute(path))
      .map(({ path, readOnly }) => ({ path, readOnly: readOnly === true }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return byDefault();
    // An unreadable list shares nothing, since the default could share more than was chosen.
    notices.push(
      `The list of shared folders, ${file}, could not be read: ${(error as Error).message}. Nothing is shared until you add a folder.`,
    );
    return [];
  }
}

function write(file: string, folders: readonly SharedFolder[]): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const next = `${file}.next`;
  writeFileSync(next, `${JSON.stringify({ folders }, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(next, file);
}

function checked(path: string): string {
  if (!isAbsolute(path)) throw new Error(`"${path}" is no full path of a folder.`);
  let real: string;
  try {
    real = realpathSync.native(path);
  } catch (error) {
    throw new Error(`${path} cannot be shared: ${reasonOf(error)}.`, { cause: error });
  }
  if (!statSync(real).isDirectory())
    throw new Error(`${path} is no folder. Share the one it lies in.`);
  if (dirname(real) === real)
    throw new Error(`All of ${real} cannot be shared. Share the folders that containers need.`);
  return real;
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'there is no such folder';
  return code === 'EACCES' || code === 'EPERM' ? 'you may not read it' : message;
}

/** Whether `path` is `folder` or below it. */
function contains(folder: string, path: string): boolean {
  const between = relative(folder, path);
  // A name such as `..data` also begins with two dots.
  return !isAbsolute(between) && between.split(sep)[0] !== '..';
}
