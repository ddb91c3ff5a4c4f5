/**
 * Sends changes of a shared folder to the machine. The machine counts the frames and reports its count
 * over a new connection, so that lost frames are sent again. Changes that cannot be sent now are kept;
 * when they are too many, the machine is told to drop everything that it has cached.
 */
import {
  FrameWriter,
  Stat,
  statBytes,
  ShareOperation as Wire,
} from '../../../../agent/contract/share-wire.ts';
import type { Change } from './folder-watch.ts';
import { PendingChanges } from './pending-changes.ts';
import type { Sender } from './sender.ts';
import { statRecord } from './stat-record.ts';

/** The buffers of a connection hold about as much, so no more can be lost with it. */
const mostToldBytes = 4 * 1024 * 1024;
const frameBytes = 128 * 1024;

export interface ChangeNotificationsOptions {
  /** The device number (st_dev) of the shared folder. */
  device: bigint;
  mostPending?: number;
}

export class ChangeNotifications {
  readonly #device: bigint;
  readonly #pending: PendingChanges;
  /** The latest frames that were sent, in their order. */
  #told: Buffer[] = [];
  #toldBytes = 0;
  /** How many frames were sent to this agent in all. */
  #count = 0;
  #sender: Sender | undefined;
  #isHeld = false;

  constructor({ device, mostPending }: ChangeNotificationsOptions) {
    this.#device = device;
    this.#pending = new PendingChanges(mostPending);
  }

  tell(changes: readonly Change[]): void {
    this.#pending.add(changes);
    if (!this.#isHeld && this.#sender?.isBehind === false) this.flush();
  }

  /** Sends changes by requests that the machine abandoned. They must keep their place between the replies. */
  tellMissed(changes: readonly Change[]): void {
    this.flush();
    for (const frame of framesOf(Wire.missed, changes, this.#device)) this.#send(frame);
  }

  /** While true the machine is paused, and changes are kept. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (!isHeld) this.flush();
  }

  /** `heard` is the agent's count of frames; undefined for an agent that has cached nothing. */
  resume(sender: Sender, heard: number | undefined): void {
    this.#sender = sender;
    sender.onDrain = () => {
      if (!this.#isHeld) this.flush();
    };
    if (heard === undefined) this.#forgetTold();
    const missing = heard === undefined ? 0 : this.#count - heard;
    if (missing < 0 || missing > this.#told.length) {
      this.#forgetTold();
      this.#count = heard ?? 0;
      this.#pending.take();
      this.#sendLost();
    } else {
      const again = missing === 0 ? [] : this.#told.slice(-missing);
      for (const frame of again) sender.tell(frame);
    }
    if (!this.#isHeld) this.flush();
  }

  leave(sender: Sender): void {
    if (this.#sender === sender) this.#sender = undefined;
  }

  /** Sends all kept changes. It is also called before each reply, so that older changes arrive before it. */
  flush(): void {
    if (this.#sender === undefined || this.#pending.isEmpty) return;
    const { changes, isLost } = this.#pending.take();
    if (isLost) this.#sendLost();
    for (const frame of framesOf(Wire.changes, changes, this.#device)) this.#send(frame);
  }

  /** For a new mount of the folder, which has cached nothing and received no frames. */
  forget(): void {
    this.#forgetTold();
    this.#pending.take();
  }

  #sendLost(): void {
    this.#send(new FrameWriter(0, Wire.lost).finish());
  }

  #send(frame: Buffer): void {
    this.#count++;
    this.#told.push(frame);
    this.#toldBytes += frame.length;
    while (this.#toldBytes > mostToldBytes) this.#toldBytes -= this.#told.shift()!.length;
    this.#sender?.tell(frame);
  }

  #forgetTold(): void {
    this.#told = [];
    this.#toldBytes = 0;
    this.#count = 0;
  }
}

function* framesOf(
  operation: number,
  changes: readonly Change[],
  device: bigint,
): Generator<Buffer> {
  let frame: FrameWriter | undefined;
  for (const { kind, path, newPath, stats } of changes) {
    frame ??= new FrameWriter(0, operation);
    frame.u8(kind).name(path);
    if (newPath !== undefined) frame.name(newPath);
    frame.raw(stats === undefined ? unseen() : statRecord(stats, device, true));
    if (frame.length < frameBytes) continue;
    yield frame.finish();
    frame = undefined;
  }
  if (frame !== undefined) yield frame.finish();
}

/** The attributes for a file that was removed before it was ever read. */
function unseen(): Buffer {
  const record = Buffer.alloc(statBytes);
  record.writeUInt32LE(0o100000, Stat.mode);
  record.writeUInt32LE(1, Stat.links);
  return record;
}
