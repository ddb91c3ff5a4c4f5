/** Folders of this computer that its machines have. */
import type {
  SharedFolder,
  SharedFolders,
  SharedFolderView,
} from '../../electron/contract/folders.ts';
import { host } from './bridge.ts';

export type { SharedFolder, SharedFolders, SharedFolderView };

export function watchFolders(signal: AbortSignal): AsyncIterable<SharedFolders> {
  return host().stream('folders.watch', null, signal);
}

/** Rejects with the reason, in words for people. */
export function addFolder(folder: SharedFolder): Promise<void> {
  return host().request('folders.add', folder);
}

export function removeFolder(path: string): Promise<void> {
  return host().request('folders.remove', { path });
}
