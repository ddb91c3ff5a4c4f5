/** A shared folder whose agents, one after the other, are processes of their own. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Duplex, duplexPair } from 'node:stream';
import { openFolderThread } from '../../../electron/host/shared-folders/open-folder-thread.ts';
import {
  changingOperations,
  FrameReader,
  FrameSplitter,
  ShareOperation,
} from '../../contract/share-wire.ts';
import { until } from '../../e2e/until.ts';
import type { ShareNews } from '../share-thread.ts';

export interface FolderOfAgents {
  host: string;
  guest: string;
  endAgent(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  startAgent(): Promise<void>;
  /** The host's end, whose memory goes on. */
  stopHost(): Promise<void>;
  /** From now on the host makes the changes it is asked for, and nobody hears of that over this connection. */
  loseAnswers(): void;
  /** From now on nothing arrives that the host tells unasked; resolves with the first that does not. */
  loseNews(): Promise<void>;
  startHost(): Promise<void>;
  /** Until a process waits for an answer of the folder's. */
  untilAsked(): Promise<void>;
  killKeepers(): Promise<void>;
  close(): Promise<void>;
}

export async function folderOfAgents({
  patienceMs = 30_000,
  resendsRequests = true,
  mostPending = undefined as number | undefined,
} = {}): Promise<FolderOfAgents> {
  const directory = mkdtempSync(join(tmpdir(), 'corten-agents-'));
  const [host, guest] = [join(directory, 'host'), join(directory, 'guest')];
  for (const path of [host, guest]) mkdirSync(path);
  chmodSync(directory, 0o755);
  const server = await openFolderThread({
    name: 'test',
    path: host,
    mountPath: guest,
    mostPending,
  });
  const failures: string[] = [];
  const events: string[] = [];
  let agent: ChildProcess | undefined;
  let socket: Socket | undefined;
  let served = Promise.resolve();
  let isHostWanted = false;
  let areAnswersLost = false;
  let onLostNews: (() => void) | undefined;

  const heard = async (...awaited: string[]) => {
    await until(
      () => events.some((event) => awaited.includes(event)),
      () => `one of ${awaited} comes, and not only ${events}`,
    );
  };
  const folder: FolderOfAgents = {
    host,
    guest,
    async startAgent() {
      events.length = 0;
      agent = fork(
        join(import.meta.dirname, 'share-agent.ts'),
        [directory, ...[patienceMs, resendsRequests].map(String)],
        {
          execArgv: ['--disable-warning=ExperimentalWarning'],
        },
      );
      agent.on('message', (news: ShareNews) => {
        events.push(news.event);
        if (news.event === 'failed') failures.push(`${news.what}: ${news.message}`);
      });
      await heard('ready');
      if (isHostWanted) await folder.startHost();
    },
    async endAgent(signal) {
      const ended = once(agent!, 'exit');
      agent!.kill(signal);
      await ended;
      await served;
    },
    async startHost() {
      isHostWanted = true;
      events.length = 0;
      socket = connect(join(directory, 'share.sock'));
      areAnswersLost = false;
      onLostNews = undefined;
      const isLost = (operation: number) => {
        const isNews = news.has(operation) && onLostNews !== undefined;
        if (isNews) onLostNews?.();
        return isNews || (areAnswersLost && changingOperations.has(operation));
      };
      served = server.serve(lossy(socket, isLost));
      await heard('mounted', 'back');
    },
    async stopHost() {
      isHostWanted = false;
      events.length = 0;
      socket?.destroy();
      await served;
      await heard('lost');
    },
    loseAnswers() {
      areAnswersLost = true;
    },
    loseNews() {
      return new Promise((resolve) => {
        onLostNews = resolve;
      });
    },
    async untilAsked() {
      const isWaiting = () =>
        readdirSync('/proc')
          .filter((pid) => /^\d+$/.test(pid))
          .some((pid) => {
            try {
              return readFileSync(`/proc/${pid}/stack`, 'utf8').includes('fuse');
            } catch {
              // It has ended.
              return false;
            }
          });
      await until(isWaiting, 'somebody asks');
    },
    async killKeepers() {
      for (const name of readdirSync(join(directory, 'kept'))) {
        if (!name.endsWith('.process')) continue;
        const [pid] = readFileSync(join(directory, 'kept', name), 'utf8').split(' ');
        process.kill(Number(pid), 'SIGKILL');
        // What is asked of it until then is aborted, which is another error.
        await until(() => hasEnded(Number(pid)), 'the keeper has ended');
      }
    },
    async close() {
      const ended = once(agent!, 'exit');
      // One that was ended in a test that failed answers no more.
      if (agent!.connected) {
        agent!.send('close');
        await ended;
      }
      socket?.destroy();
      await served;
      server.close();
      assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(guest));
      assert.deepEqual(readdirSync(join(directory, 'kept')), []);
      rmSync(directory, { recursive: true, force: true });
      assert.deepEqual(failures, []);
    },
  };
  await folder.startAgent();
  await folder.startHost();
  return folder;
}

/** All its descriptors are closed by then, also while nobody has collected its status. */
function hasEnded(pid: number): boolean {
  try {
    return / \(.*\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

const news: ReadonlySet<number> = new Set([
  ShareOperation.changes,
  ShareOperation.missed,
  ShareOperation.lost,
]);

/** A socket whose other end may not hear everything any more. */
function lossy(socket: Socket, isLost: (operation: number) => boolean): Duplex {
  const [inner, outer] = duplexPair();
  socket.pipe(inner);
  const splitter = new FrameSplitter();
  inner.on('data', (data: Buffer) =>
    splitter.push(data, (frame) => {
      if (!isLost(new FrameReader(frame).operation)) socket.write(frame);
    }),
  );
  inner.on('error', () => {});
  socket.on('error', () => inner.destroy());
  socket.once('close', () => inner.end());
  inner.once('close', () => socket.destroy());
  return outer;
}
