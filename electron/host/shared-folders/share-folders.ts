/**
 * Shares the folders with each machine while it is up, over a channel for each folder that is reopened
 * when it breaks. Open files outlive the channel, and the list of folders may change at any time.
 */
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SharedFolder, SharedFolders } from '../../contract/folders.ts';
import type { CompanionContext, RunningCompanion } from '../machine/machine.ts';
import type { Toggle } from '../machine/toggle.ts';
import { ChannelSocket } from '../ssh/channel-socket.ts';
import type { ServiceLink } from '../ssh/link.ts';
import type { FolderList } from './folder-list.ts';
import { type FolderThread, openFolderThread } from './open-folder-thread.ts';
import { unmount } from './unmount.ts';

export type SharingContext = Pick<
  CompanionContext,
  'link' | 'services' | 'onPauseChange' | 'report'
>;

export interface FolderSharingOptions {
  list: FolderList;
  /** The folder's mount point in the machine. */
  mountPathOf?(path: string): string;
}

export interface FolderSharing {
  /** The parts of CompanionContext that sharing needs. */
  companion(machine: SharingContext): RunningCompanion;
  /** The same for a remote host: the folders are mounted at their own paths below `at`. */
  companionBelow(
    options: { at: string; chosen: Toggle },
    machine: SharingContext,
  ): RunningCompanion;
  view(): SharedFolders;
  watch(signal: AbortSignal): AsyncIterable<SharedFolders>;
}

interface Session {
  /** Resolves once the machine has mounted the folder, or the problem is known. */
  ready: Promise<void>;
  /** From now on a broken channel is not reopened. */
  linger(): void;
  /** Ends the session; `forGood` also unmounts the folder in the machine. */
  close(forGood: boolean): Promise<void>;
}

/** The agent's name for its socket (agent/main.ts). */
const shareSocket = 'share.sock';
const firstPauseMs = 100;
const longestPauseMs = 5_000;

export function createFolderSharing({
  list,
  mountPathOf = mountPathOnLinux,
}: FolderSharingOptions): FolderSharing {
  /** The problems of the sessions that have one. */
  const problems = new Set<{ path: string; problem: string }>();
  const watchers = new Set<() => void>();

  /** A folder can be shared with one machine and fail on another. */
  function teller(path: string): (problem: string | undefined) => void {
    let told: { path: string; problem: string } | undefined;
    return (problem) => {
      if (told?.problem === problem) return;
      if (told !== undefined) problems.delete(told);
      told = problem === undefined ? undefined : { path, problem };
      if (told !== undefined) problems.add(told);
      for (const notify of watchers) notify();
    };
  }

  const view = (): SharedFolders => ({
    folders: list.all().map((folder) => ({
      ...folder,
      mountPath: mountPathOf(folder.path),
      problem: [...problems].find(({ path }) => path === folder.path)?.problem,
    })),
    notices: [...list.notices()],
  });

  function accompany(
    machine: SharingContext,
    { at, chosen }: { at: string; chosen?: Toggle },
  ): RunningCompanion {
    const sessions = new Map<string, Session>();
    const follow = () => {
      const folders = chosen === undefined || chosen.isOn ? list.all() : [];
      const wanted = new Map(folders.map((folder) => [keyOf(folder), folder]));
      for (const [key, session] of sessions) {
        if (wanted.has(key)) continue;
        sessions.delete(key);
        session.close(true).catch((error) => machine.report('unshare a folder', error));
      }
      for (const [key, folder] of wanted)
        if (!sessions.has(key))
          sessions.set(
            key,
            share(machine, folder, at, mountPathOf(folder.path), teller(folder.path)),
          );
    };
    follow();
    const stops = [list.onChange(follow), chosen?.onChange(follow)];
    return {
      ready: Promise.all([...sessions.values()].map(({ ready }) => ready)).then(() => {}),
      // A database that is asked to stop still writes its data into the folder.
      linger() {
        for (const session of sessions.values()) session.linger();
      },
      async close() {
        for (const stop of stops) stop?.();
        await Promise.all([...sessions.values()].map((session) => session.close(false)));
      },
    };
  }

  return {
    view,
    async *watch(signal) {
      const changes = changesOf(list, watchers, signal);
      while (!signal.aborted) {
        yield view();
        await changes.next();
      }
    },
    companion: (machine) => accompany(machine, { at: '' }),
    companionBelow: (options, machine) => accompany(machine, options),
  };
}

const keyOf = ({ path, readOnly }: SharedFolder) => `${readOnly ? 'r' : 'w'} ${path}`;

function share(
  machine: SharingContext,
  folder: SharedFolder,
  at: string,
  path: string,
  tell: (problem: string | undefined) => void,
): Session {
  const ended = new AbortController();
  const ready = Promise.withResolvers<void>();
  let channel: Duplex | undefined;
  let server: FolderThread | undefined;
  let isPaused = false;
  let isEnding = false;
  const stopFollowing = machine.onPauseChange((itsRest) => {
    isPaused = itsRest;
    server?.hold(isPaused);
  });
  const mountPath = `${at}${path}`;
  // A machine with folders of several computers tells them apart by their mount points.
  const name = at === '' ? keyOf(folder) : `${keyOf(folder)} at ${mountPath}`;
  const openBy = async (link: ServiceLink) =>
    new ChannelSocket(await link.openStreamLocal(shareSocket));

  async function keep(): Promise<void> {
    for (
      let pauseMs = firstPauseMs;
      !ended.signal.aborted && !isEnding;
      pauseMs = Math.min(pauseMs * 2, longestPauseMs)
    ) {
      try {
        if (server?.isAlive !== true) {
          server = await openFolderThread({ name, mountPath, ...folder });
          server.hold(isPaused);
        }
        channel = await openBy(machine.services);
        if (ended.signal.aborted) break;
        await server.serve(channel, () => {
          pauseMs = firstPauseMs;
          tell(undefined);
          ready.resolve();
        });
      } catch (error) {
        ready.resolve();
        if (!isEnding) tell(`${(error as Error).message} It is tried again.`);
      }
      await sleep(pauseMs, undefined, { signal: ended.signal }).catch(() => {});
    }
    channel?.destroy();
  }

  const kept = keep();
  return {
    ready: ready.promise,
    linger() {
      isEnding = true;
    },
    async close(forGood) {
      ended.abort();
      stopFollowing();
      channel?.destroy();
      await kept;
      tell(undefined);
      server?.close();
      // A folder that the user removes is unmounted at once, also from a paused machine.
      if (forGood) await unmount(await openBy(machine.link), name);
    },
  };
}

/** `C:\Users\me` is mounted at `/c/Users/me` in a machine; on other systems the paths are equal. */
export function mountPathOnLinux(path: string): string {
  const drive = /^([A-Za-z]):[\\/]?/.exec(path);
  if (drive === null) return path;
  const rest = path.slice(drive[0].length).replaceAll('\\', '/');
  return `/${drive[1]!.toLowerCase()}${rest === '' ? '' : `/${rest}`}`;
}

async function* changesOf(
  list: FolderList,
  watchers: Set<() => void>,
  signal: AbortSignal,
): AsyncGenerator<void> {
  let isFresh = false;
  let wake = () => {};
  const notify = () => {
    isFresh = true;
    wake();
  };
  watchers.add(notify);
  const stop = list.onChange(notify);
  signal.addEventListener('abort', notify);
  try {
    while (!signal.aborted) {
      if (!isFresh)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      isFresh = false;
      yield;
    }
  } finally {
    stop();
    watchers.delete(notify);
    signal.removeEventListener('abort', notify);
  }
}
