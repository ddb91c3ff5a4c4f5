/**
 * The thread that serves all mounted host folders. It waits with poll(2) for the kernel, the host's connections and
 * the agent: libuv cannot watch /dev/fuse, and a blocking read would occupy one of its four threads for good.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, mkdirSync, readSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import {
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  workerData,
} from 'node:worker_threads';
import {
  FrameReader,
  FrameSplitter,
  FrameWriter,
  type ShareHello,
  type ShareWelcome,
  shareVersion,
  statBytes,
  ShareOperation as Wire,
} from '../contract/share-wire.ts';
import { openDirectory, withFd } from '../kernel/files.ts';
import { type FuseMount, mountFuse } from '../kernel/fuse-device.ts';
import { attachMount, detachMount } from '../kernel/mount.ts';
import { PollEvent, type Polled, poll } from '../kernel/poll.ts';
import { acceptUnix, listenUnix, receive, send, setSendBuffer } from '../kernel/unix-listener.ts';
import { copyStat } from './fuse-wire.ts';
import { questionBytes } from './init.ts';
import { Journal, type KeptState } from './journal.ts';
import { fileNameOf, KeptMounts, type MountFacts } from './kept-mounts.ts';
import { detachDead, readFurtherAhead } from './mount-place.ts';
import { mostUnconfirmedBytes } from './open-files.ts';
import { Owners } from './owners.ts';
import type { ReplayReport, ReplayTask } from './replay-thread.ts';
import { Share } from './share.ts';

export interface ShareThreadSettings {
  socketPath: string;
  ownersDirectory: string;
  /** Directory for what the next agent needs. */
  keptDirectory: string;
  /** The shim's program. */
  programPath: string;
  /** A pipe that this thread reads; a byte wakes it. */
  wakeFd: number;
  replayPort: MessagePort;
  mainThreadId: number;
  /** How long callers wait for a disconnected host before they get EIO. */
  patienceMs: number;
  mayAskAgain: boolean;
}

export type ShareNews =
  | { event: 'ready' }
  | { event: 'mounted' | 'unmounted' | 'lost' | 'back'; share: string; mountPath: string }
  | { event: 'failed'; what: string; message: string };

interface Mounted {
  share: Share;
  name: string;
  mount: string;
  mountPath: string;
  mountFd: number;
  /** Instance of the host whose open files these are; `undefined` until the host knows of the new agent. */
  instance: string | undefined;
}

/** Order of the main thread: unmount all folders, or leave them to the next agent. */
export type ShareOrder = 'close' | 'leave';

/** A connection that has not yet named its folder. */
interface UnidentifiedConnection {
  fd: number;
  splitter: FrameSplitter;
}

const { EAGAIN } = constants.errno;
/** How long the end waits until the host has all writes. */
const leavingMs = 2_000;

class ShareThread {
  readonly #settings: ShareThreadSettings;
  readonly #news: (news: ShareNews) => void;
  readonly #listenFd: number;
  readonly #mounted = new Map<string, Mounted>();
  readonly #strangers = new Map<number, UnidentifiedConnection>();
  readonly #kept: KeptMounts;
  #replayThreadId = 0;
  #order: ShareOrder | undefined;

  constructor(settings: ShareThreadSettings, news: (news: ShareNews) => void) {
    this.#settings = settings;
    this.#news = news;
    this.#kept = new KeptMounts({
      directory: settings.keptDirectory,
      programPath: settings.programPath,
      questionBytes,
      patienceMs: settings.patienceMs,
    });
    this.#listenFd = listenUnix(settings.socketPath);
  }

  run(): void {
    this.#readReports();
    this.#takeUpAll();
    this.#news({ event: 'ready' });
    while (this.#order === undefined) this.#turn();
    if (this.#order === 'leave') this.#leaveAll();
    else for (const mounted of [...this.#mounted.values()]) this.#unmount(mounted);
    for (const fd of this.#strangers.keys()) closeSync(fd);
    closeSync(this.#listenFd);
    this.#kept.close();
  }

  #turn(patienceMs = Number.POSITIVE_INFINITY): void {
    const now = performance.now();
    const deadlines = [...this.#mounted.values()]
      .map(({ share }) => share.expire(now))
      .filter((at) => at !== undefined);
    const next = Math.min(...deadlines, now + patienceMs);
    const timeoutMs = next === Number.POSITIVE_INFINITY ? -1 : Math.max(0, Math.ceil(next - now));
    for (const ready of poll(this.#watched(), timeoutMs)) this.#handle(ready);
    for (const mounted of this.#mounted.values()) {
      mounted.share.endTurn();
      if (mounted.share.link.isUp && !mounted.share.link.flush()) this.#onLost(mounted);
    }
  }

  #takeUpAll(): void {
    const lost = (facts: MountFacts) => detachDead(facts.mountPath);
    for (const { state, ...kept } of this.#kept.takeAll(lost)) {
      const share = this.#shareOf(kept.share, kept, Buffer.alloc(statBytes), state);
      const { share: name, mount, mountPath, mountFd } = kept;
      const mounted = { share, name, mount, mountPath, mountFd, instance: undefined };
      this.#mounted.set(name, mounted);
      this.#tell('mounted', mounted);
    }
  }

  /** Leaves the kernel's requests to the next agent; answered writes must reach the host first. */
  #leaveAll(): void {
    const deadline = performance.now() + leavingMs;
    for (const { share } of this.#mounted.values()) share.stopReading();
    const isWaiting = ({ share }: Mounted) => share.link.isUp && !share.files.isConfirmed;
    while (performance.now() < deadline && [...this.#mounted.values()].some(isWaiting))
      this.#turn(deadline - performance.now());
    for (const { share, mountFd } of this.#mounted.values()) {
      share.close();
      closeSync(mountFd);
    }
  }

  #watched(): Polled[] {
    const watched: Polled[] = [
      { fd: this.#settings.wakeFd, events: PollEvent.in },
      { fd: this.#listenFd, events: PollEvent.in },
    ];
    for (const fd of this.#strangers.keys()) watched.push({ fd, events: PollEvent.in });
    for (const { share } of this.#mounted.values()) {
      if (share.isReading) watched.push({ fd: share.deviceFd, events: PollEvent.in });
      if (share.link.fd !== undefined)
        watched.push({ fd: share.link.fd, events: share.link.events });
    }
    return watched;
  }

  #handle({ fd, events }: Polled): void {
    if (fd === this.#settings.wakeFd) {
      this.#onWake();
      return;
    }
    if (fd === this.#listenFd) {
      this.#accept();
      return;
    }
    const stranger = this.#strangers.get(fd);
    if (stranger !== undefined) {
      this.#listenTo(stranger);
      return;
    }
    for (const mounted of this.#mounted.values()) {
      // The results of the replay thread come before its next requests.
      if (fd === mounted.share.deviceFd) {
        this.#readReports();
        if (!this.#safely(() => mounted.share.readQuestions())) this.#unmount(mounted);
        return;
      }
      if (fd === mounted.share.link.fd) {
        if (!this.#safely(() => mounted.share.link.onReady(events))) this.#onLost(mounted);
        return;
      }
    }
  }

  /** An error ends the connection or the mount. */
  #safely(work: () => boolean): boolean {
    try {
      return work();
    } catch (error) {
      this.#fail('serve a folder', error);
      return false;
    }
  }

  #onWake(): void {
    readSync(this.#settings.wakeFd, Buffer.alloc(4096));
    this.#readReports();
    const message = parentPort && receiveMessageOnPort(parentPort);
    if (message !== undefined && message !== null) this.#order = message.message as ShareOrder;
  }

  #readReports(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#settings.replayPort);
      if (received === undefined) return;
      const report = received.message as ReplayReport;
      if ('threadId' in report) {
        this.#replayThreadId = report.threadId;
        for (const { share } of this.#mounted.values()) share.recordFacts();
      } else {
        if (report.failure !== undefined) this.#fail('tell of a change', report.failure);
        this.#mounted.get(report.share)?.share.replay.done();
      }
    }
  }

  #accept(): void {
    const fd = acceptUnix(this.#listenFd);
    if (fd === undefined) return;
    // With the default buffer each 200 KiB of a write would take a turn of two threads.
    setSendBuffer(fd, mostUnconfirmedBytes);
    this.#strangers.set(fd, { fd, splitter: new FrameSplitter() });
  }

  #listenTo(stranger: UnidentifiedConnection): void {
    const buffer = Buffer.alloc(64 * 1024);
    const length = receive(stranger.fd, buffer);
    if (length === -EAGAIN) return;
    const known = this.#safely(() => {
      if (length <= 0) return false;
      stranger.splitter.push(buffer.subarray(0, length), (frame) => this.#onHello(stranger, frame));
      return true;
    });
    if (known || !this.#strangers.delete(stranger.fd)) return;
    closeSync(stranger.fd);
  }

  #onHello(stranger: UnidentifiedConnection, frame: Buffer): void {
    const reader = new FrameReader(frame);
    const mounted = [...this.#mounted.values()].find(({ share }) => share.link.fd === stranger.fd);
    // The first chunk contained more than the greeting.
    if (mounted !== undefined) {
      mounted.share.link.handleFrame(frame);
      return;
    }
    const hello = JSON.parse(reader.bytes().toString()) as ShareHello;
    if (reader.operation === Wire.bye) {
      this.#onBye(stranger, hello.share);
      return;
    }
    try {
      if (hello.version !== shareVersion)
        throw new Error(
          `the app uses version ${hello.version} of shared folders and the machine ${shareVersion}: update both`,
        );
      const known = this.#mounted.get(hello.share);
      const now = known ?? this.#mount(hello, reader.bytes());
      this.#strangers.delete(stranger.fd);
      this.#resume(now, stranger, hello);
      if (known !== undefined) this.#tell('back', known);
    } catch (error) {
      this.#fail(`mount ${hello.mountPath}`, error);
      const refusal = new FrameWriter(reader.id, Wire.hello, 5)
        .bytes(Buffer.from(String((error as Error).message)))
        .finish();
      send(stranger.fd, refusal);
      if (this.#strangers.delete(stranger.fd)) closeSync(stranger.fd);
    }
  }

  #onBye({ fd }: UnidentifiedConnection, name: string): void {
    const mounted = this.#mounted.get(name);
    if (mounted !== undefined) this.#unmount(mounted);
    send(fd, new FrameWriter(0, Wire.bye).finish());
    if (this.#strangers.delete(fd)) closeSync(fd);
  }

  #mount({ share: name, mountPath, readOnly, instance }: ShareHello, rootStat: Buffer): Mounted {
    this.#refuseNesting(mountPath);
    mkdirSync(mountPath, { recursive: true });
    const mount = randomUUID();
    const fds = mountFuse(mountPath, readOnly);
    const { mountFd } = fds;
    let share: Share | undefined;
    try {
      share = this.#shareOf(name, fds, rootStat);
      this.#kept.keep({ share: name, mount, mountPath }, fds);
      withFd(openDirectory(mountPath), (target) => attachMount(mountFd, target, mountPath));
    } catch (error) {
      // The host retries, and each try would leave a mount behind.
      closeSync(mountFd);
      if (share === undefined) closeSync(fds.deviceFd);
      else share.close();
      this.#kept.end(name);
      throw error;
    }
    readFurtherAhead(mountPath);
    const mounted = { share, name, mount, mountPath, mountFd, instance };
    this.#mounted.set(name, mounted);
    this.#tell('mounted', mounted);
    return mounted;
  }

  #shareOf(
    name: string,
    { deviceFd, mountFd }: FuseMount,
    rootStat: Buffer,
    kept?: KeptState,
  ): Share {
    const report = (error: unknown) => this.#fail(name, error);
    const send = (order: ReplayTask['order']) =>
      this.#settings.replayPort.postMessage({
        share: name,
        deviceFd,
        mountFd,
        order,
      } satisfies ReplayTask);
    return new Share({
      deviceFd,
      owners: new Owners(join(this.#settings.ownersDirectory, `${fileNameOf(name)}.owners`)),
      rootStat: copyStat(rootStat),
      journal: new Journal(this.#kept.journalOf(name), report),
      kept,
      sendReplay: send,
      replayThreadId: () => this.#replayThreadId,
      mainThreadId: this.#settings.mainThreadId,
      patienceMs: this.#settings.patienceMs,
      mayAskAgain: this.#settings.mayAskAgain,
      report,
    });
  }

  /** Refuses nested folders: this thread must never access its own mount, which would deadlock. */
  #refuseNesting(path: string): void {
    for (const { mountPath } of this.#mounted.values())
      if (
        path === mountPath ||
        path.startsWith(`${mountPath}/`) ||
        mountPath.startsWith(`${path}/`)
      )
        throw new Error(`${path} and ${mountPath} lie in each other: share the outer one only`);
  }

  #resume(mounted: Mounted, { fd, splitter }: UnidentifiedConnection, hello: ShareHello): void {
    const { share } = mounted;
    const isOther = hello.instance !== mounted.instance;
    if (isOther) share.heard = 0;
    const welcome: ShareWelcome = {
      mount: mounted.mount,
      ...(!isOther && { heard: share.heard }),
    };
    const first = [
      new FrameWriter(0, Wire.hello).bytes(Buffer.from(JSON.stringify(welcome))).finish(),
    ];
    if (mounted.instance === undefined) first.push(retain(share.files.openHandles()));
    if (isOther)
      for (const { handle, path, flags } of share.files.reopenings())
        first.push(new FrameWriter(0, Wire.open).name(path).u32(flags).u64(handle).u32(0).finish());
    if (isOther)
      for (const path of share.nodes.folders())
        first.push(new FrameWriter(0, Wire.watch).name(path).finish());
    if (isOther) share.distrustAttributes();
    mounted.instance = hello.instance;
    share.link.resume(fd, splitter, first);
    share.onLinkBack();
    // Another host has no watches, and unknown files may have changed.
    if (isOther) share.replay.loseAll();
  }

  #onLost(mounted: Mounted): void {
    mounted.share.onLinkLost(performance.now());
    this.#tell('lost', mounted);
  }

  #unmount(mounted: Mounted): void {
    this.#mounted.delete(mounted.name);
    try {
      detachMount(mounted.mountPath);
    } catch {
      // The mount was removed already.
    }
    closeSync(mounted.mountFd);
    mounted.share.close();
    this.#kept.end(mounted.name);
    this.#tell('unmounted', mounted);
  }

  #tell(event: 'mounted' | 'unmounted' | 'lost' | 'back', { name, mountPath }: Mounted): void {
    this.#news({ event, share: name, mountPath });
  }

  #fail(what: string, error: unknown): void {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#news({ event: 'failed', what, message });
  }
}

function retain(handles: readonly number[]): Buffer {
  const frame = new FrameWriter(0, Wire.retain);
  for (const handle of handles) frame.u64(handle);
  return frame.finish();
}

const port = parentPort;
if (port !== null)
  new ShareThread(workerData as ShareThreadSettings, (news) => port.postMessage(news)).run();
