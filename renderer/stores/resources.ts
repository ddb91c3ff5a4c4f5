/** What the machine that is looked at may use, what it does use, and how far its compacting is. */
import { create } from 'zustand';
import {
  type CompactProgress,
  changeSettings,
  compactDisk,
  getSettings,
  type MachineFigures,
  type MachineSettings,
  type MachineSettingsView,
  watchMachineFigures,
} from '../bridge/resources.ts';
import { atSwitch, perMachine } from './per-machine.ts';
import { messageOf } from './sentence.ts';
import { toast, toastError } from './toasts.ts';
import { whileVisible } from './while-visible.ts';

/** While the machine is away, or the host. */
const retryMs = 2_000;

export const useResources = perMachine(
  create<{
    /** `none`: the app sets nothing of this machine. */
    view: MachineSettingsView | 'none' | undefined;
    /** Why the settings cannot be told. */
    error: string | undefined;
    figures: MachineFigures | undefined;
    /** Processors in use between the last two figures. */
    cpusUsed: number | undefined;
    compacting: CompactProgress | undefined;
  }>()(() => ({
    view: undefined,
    error: undefined,
    figures: undefined,
    cpusUsed: undefined,
    compacting: undefined,
  })),
);

let compacting: AbortController | undefined;
atSwitch(() => compacting?.abort());

export async function loadSettings(): Promise<void> {
  try {
    useResources.setState({ view: (await getSettings()) ?? 'none', error: undefined });
  } catch (error) {
    useResources.setState({ view: undefined, error: messageOf(error) });
  }
}

/** The reason, in the host's own words, where it cannot be. */
export async function applySettings(change: Partial<MachineSettings>): Promise<string | undefined> {
  try {
    const { view, afterRestart } = await changeSettings(change);
    useResources.setState({ view });
    if (afterRestart.length === 0) toast({ id: 'toast.resourcesApplied' });
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Until the returned function is called, and only while the window is seen. */
export function followFigures(): () => void {
  return whileVisible(async (signal) => {
    while (!signal.aborted) {
      try {
        let before: { cpuMs: number; atMs: number } | undefined;
        for await (const figures of watchMachineFigures(signal)) {
          if (signal.aborted) break;
          const now = { cpuMs: figures.cpuMs ?? Number.NaN, atMs: performance.now() };
          const used = before && (now.cpuMs - before.cpuMs) / (now.atMs - before.atMs);
          before = now;
          // Less than before: it has started anew meanwhile.
          const cpusUsed = used !== undefined && used >= 0 ? used : undefined;
          useResources.setState({ figures, cpusUsed });
        }
      } catch {
        // The host is gone, or cannot tell now: asked again.
      }
      if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  });
}

/** Goes on when its page is left; at another machine it is no longer told of. */
export async function compact(): Promise<void> {
  if (useResources.getState().compacting?.phase === 'trimming') return;
  const abort = new AbortController();
  compacting = abort;
  useResources.setState({ compacting: { phase: 'trimming', freedBytes: 0 } });
  try {
    for await (const progress of compactDisk(abort.signal))
      if (!abort.signal.aborted) useResources.setState({ compacting: progress });
  } catch (error) {
    if (abort.signal.aborted) return;
    useResources.setState({ compacting: undefined });
    toastError({ id: 'failed.compact' }, error);
  }
}
