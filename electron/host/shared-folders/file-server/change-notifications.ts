/**
 * What a machine is told unasked. It counts what it hears, and says over a new connection how far it
 * came: what was on its way when the line broke is told again. What cannot be told now is kept, and
 * where that was too much the machine is told to go by nothing that it knows.
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

/** What the buffers of a line hold at most is about as much. */
const mostToldBytes = 4 * 1024 * 1024;
const frameBytes = 128 * 1024;

export interface ChangeNotificationsOptions {
  /** Of the shared folder. */
  device: bigint;
  mostPending?: number;
}

export class ChangeNotifications {
  readonly #device: bigint;
  readonly #pending: PendingChanges;
  /** The latest frames that were told, in their order. */
  #told: Buffer[] = [];
  #toldBytes = 0;
  /** How many were told to this agent in all. */
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

  /** What was given up: at once, as it stands between answers. */
  tellMissed(changes: readonly Change[]): void {
    this.flush();
    for (const frame of framesOf(Wire.missed, changes, this.#device)) this.#send(frame);
  }

  /** While true the machine rests. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (!isHeld) this.flush();
  }

  /** `heard`: how many that agent has; undefined for one that knows nothing, or goes by nothing. */
  resume(sender: Sender, heard: number | undefined): void {
    this.#sender = sender;
    sender.onRoom = () => {
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

  /** Also before whatever is answered: an answer is newer than what changed before it. */
  flush(): void {
    if (this.#sender === undefined || this.#pending.isEmpty) return;
    const { changes, isLost } = this.#pending.take();
    if (isLost) this.#sendLost();
    for (const frame of framesOf(Wire.changes, changes, this.#device)) this.#send(frame);
  }

  /** Another mount of the folder has heard of nothing, and knows nothing. */
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

/** A file that was gone before anybody looked at it. */
function unseen(): Buffer {
  const record = Buffer.alloc(statBytes);
  record.writeUInt32LE(0o100000, Stat.mode);
  record.writeUInt32LE(1, Stat.links);
  return record;
}
