/** The folders that this computer shares with its machines. */
import { create } from 'zustand';
import {
  addFolder,
  removeFolder,
  type SharedFolder,
  type SharedFolderView,
  watchFolders,
} from '../bridge/folders.ts';
import { messageOf } from './sentence.ts';
import { toastError } from './toasts.ts';

export const useFolders = create<{
  /** Undefined until the host has told. */
  folders: readonly SharedFolderView[] | undefined;
  notices: readonly string[];
}>()(() => ({ folders: undefined, notices: [] }));

/** Until the signal aborts; asks again after a break. */
export async function followFolders(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const { folders, notices } of watchFolders(signal))
        useFolders.setState({ folders, notices });
    } catch {
      // The host is gone, which the page says; the next round finds it again.
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Why it cannot be shared; undefined when it is. */
export async function shareFolder(folder: SharedFolder): Promise<string | undefined> {
  try {
    await addFolder(folder);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

export async function unshareFolder(path: string): Promise<void> {
  try {
    await removeFolder(path);
  } catch (error) {
    toastError({ id: 'failed.folderRemove' }, error);
  }
}
