/**
 * Keeps replies that the machine may not have received, as NFS's duplicate request cache does. After a
 * reconnect, or a restart of its agent, the machine repeats unanswered requests; those that were done
 * get their reply from here, and files that they opened are still open. A request that is not repeated
 * was abandoned; its effect is then sent as a change, because the machine's kernel assumes none.
 */
import {
  type FrameReader,
  SetAttribute,
  ShareOperation as Wire,
} from '../../../../agent/contract/share-wire.ts';

interface Done {
  reply: Buffer;
  /** Undefined for a request whose effect need not be sent as a change. */
  request: FrameReader | undefined;
  /** Whether the request was repeated on the current connection. */
  isAskedAgain: boolean;
}

/** The effect of an abandoned request. Only a rename has a second path. */
export interface Missed {
  kind: 'created' | 'removed' | 'renamed' | 'modified' | 'attributes';
  path: string;
  newPath?: string;
}

/** A machine acknowledges replies long before; the limit is for one that never does. */
const mostDone = 65_536;

export class ReplyCache {
  readonly #done = new Map<number, Done>();

  /** The reply to a repeated request; undefined when the request was not done yet. */
  replyTo(id: number): Buffer | undefined {
    const done = this.#done.get(id);
    if (done === undefined) return undefined;
    done.isAskedAgain = true;
    return done.reply;
  }

  remember(request: FrameReader, reply: Buffer): void {
    this.#done.set(request.id, { reply, request: keptOf(request), isAskedAgain: true });
    if (this.#done.size > mostDone) this.#done.delete(this.#done.keys().next().value!);
  }

  /** Drops replies that the machine has acknowledged. */
  forget(ids: Iterable<number>): void {
    for (const id of ids) this.#done.delete(id);
  }

  clear(): void {
    this.#done.clear();
  }

  /** Begins a new connection, on which requests without an acknowledged reply have to be repeated. */
  beginAnew(): void {
    for (const done of this.#done.values()) done.isAskedAgain = false;
  }

  /** A new agent reuses its own request numbers, which are odd; even ones are the kernel's, and stay. */
  forgetAgent(): void {
    for (const id of this.#done.keys()) if (id % 2 === 1) this.#done.delete(id);
  }

  /** Handles of files whose open has no acknowledged reply. */
  *opened(): Generator<number> {
    for (const { request, reply } of this.#done.values()) {
      const handle = request && handleOf(request.again());
      if (handle !== undefined && errnoOf(reply) === 0) yield handle;
    }
  }

  /** Drops the requests that were not repeated. Returns the handles that they opened and their effects. */
  dropAbandoned(): { handles: number[]; missed: Missed[] } {
    const [handles, missed]: [number[], Missed[]] = [[], []];
    for (const [id, { request, reply, isAskedAgain }] of this.#done) {
      if (isAskedAgain) continue;
      this.#done.delete(id);
      if (request === undefined || errnoOf(reply) !== 0) continue;
      const handle = handleOf(request.again());
      if (handle !== undefined) handles.push(handle);
      missed.push(...changesOf(request.again()));
    }
    return { handles, missed };
  }
}

/** Copies the request, because a frame keeps its whole chunk of memory. Writes need no copy: their data is on the disk. */
const keptOf = (request: FrameReader) =>
  request.operation === Wire.write || request.operation === Wire.release
    ? undefined
    : request.copy();

const errnoOf = (reply: Buffer) => reply.readUInt16LE(10);

function handleOf(request: FrameReader): number | undefined {
  if (request.operation !== Wire.open && request.operation !== Wire.create) return undefined;
  request.name();
  request.u32();
  if (request.operation === Wire.create) request.u32();
  // A create without an open (mknod) has no handle.
  return request.u64() || undefined;
}

function changesOf(request: FrameReader): Missed[] {
  switch (request.operation) {
    case Wire.create:
    case Wire.mkdir:
    case Wire.symlink:
      return [{ kind: 'created', path: request.name() }];
    case Wire.link:
      request.name();
      return [{ kind: 'created', path: request.name() }];
    case Wire.unlink:
    case Wire.rmdir:
      return [{ kind: 'removed', path: request.name() }];
    case Wire.rename: {
      const [path, newPath, flags] = [request.name(), request.name(), request.u32()];
      const isExchange = flags === 2;
      return isExchange
        ? [path, newPath].map((at) => ({ kind: 'created', path: at }))
        : [{ kind: 'renamed', path, newPath }];
    }
    case Wire.open: {
      const [path, flags] = [request.name(), request.u32()];
      return (flags & 0o1000) === 0 ? [] : [{ kind: 'modified', path }];
    }
    case Wire.setattr: {
      request.u64();
      const [path, mask] = [request.name(), request.u32()];
      if (path === '') return [];
      return [{ kind: (mask & SetAttribute.size) === 0 ? 'attributes' : 'modified', path }];
    }
    default:
      return [];
  }
}
