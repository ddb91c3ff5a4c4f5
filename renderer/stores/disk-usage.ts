/** What the files of the container that is looked at hold, read again while somebody looks. */
import { create } from 'zustand';
import { type DiskUsage, getDiskUsage } from '../bridge/containers.ts';
import { perMachine } from './per-machine.ts';
import { messageOf } from './sentence.ts';
import { whileVisible } from './while-visible.ts';

export const useDiskUsage = perMachine(
  create<{
    id: string | undefined;
    usage: DiskUsage | undefined;
    /** The engine's words for why it cannot say. */
    error: string | undefined;
  }>()(() => ({ id: undefined, usage: undefined, error: undefined })),
);

const pollMs = 2000;

/** Gives back how to stop. */
export function followDiskUsage(id: string): () => void {
  if (useDiskUsage.getState().id !== id)
    useDiskUsage.setState({ id, usage: undefined, error: undefined });
  return whileVisible(async (signal) => {
    while (!signal.aborted) {
      try {
        put(id, { usage: await getDiskUsage(id), error: undefined });
      } catch (error) {
        put(id, { error: messageOf(error) });
      }
      await new Promise((done) => setTimeout(done, pollMs));
    }
  });
}

/** Another container's figures are never shown as its own. */
function put(id: string, part: { usage?: DiskUsage; error: string | undefined }): void {
  if (useDiskUsage.getState().id === id) useDiskUsage.setState(part);
}
