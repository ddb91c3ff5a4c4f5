/**
 * What was done for a machine that may not know it. Whoever loses a connection, or takes an agent's
 * place, asks again what has no answer: that is answered from here, and what it opened is still open.
 * What nobody asks for again was given up: then the machine is told of it like of a change of this
 * computer, because its kernel believes that nothing has happened.
 */
import {
  type FrameReader,
  SetAttribute,
  ShareOperation as Wire,
} from '../../../../agent/contract/share-wire.ts';

interface Done {
  reply: Buffer;
  /** Undefined for what nobody has to hear of. */
  request: FrameReader | undefined;
  /** Since the last connection began. */
  isAskedAgain: boolean;
}

/** A change by its kind's name; the second path is a rename's. */
export interface Missed {
  kind: 'created' | 'removed' | 'renamed' | 'modified' | 'attributes';
  path: string;
  newPath?: string;
}

/** Far more than a machine leaves unsaid: only one that never says what it has comes so far. */
const mostDone = 65_536;

export class ReplyCache {
  readonly #done = new Map<number, Done>();

  /** To be given once more; undefined for what was not done yet. */
  answerTo(id: number): Buffer | undefined {
    const done = this.#done.get(id);
    if (done === undefined) return undefined;
    done.isAskedAgain = true;
    return done.reply;
  }

  remember(request: FrameReader, reply: Buffer): void {
    this.#done.set(request.id, { reply, request: keptOf(request), isAskedAgain: true });
    if (this.#done.size > mostDone) this.#done.delete(this.#done.keys().next().value!);
  }

  /** The machine has these answers. */
  forget(ids: Iterable<number>): void {
    for (const id of ids) this.#done.delete(id);
  }

  clear(): void {
    this.#done.clear();
  }

  /** A new connection: what was done before it has to be asked again, or is told. */
  beginAnew(): void {
    for (const done of this.#done.values()) done.isAskedAgain = false;
  }

  /** Another agent uses the numbers of the one before anew, but for those that are the kernel's. */
  forgetAgent(): void {
    for (const id of this.#done.keys()) if (id % 2 === 1) this.#done.delete(id);
  }

  /** Open files that nobody may know of yet. */
  *opened(): Generator<number> {
    for (const { request, reply } of this.#done.values()) {
      const handle = request && handleOf(request.again());
      if (handle !== undefined && errnoOf(reply) === 0) yield handle;
    }
  }

  /** Forgets what was not asked again: the files it opened, and what the machine does not know. */
  settle(): { handles: number[]; missed: Missed[] } {
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

/** A frame's memory is that of a whole chunk. What was written is on the disk, and known by its size. */
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
  // A file that is only made is not open.
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
