/** Reads from the host; a long read is split into pieces, so that small requests run in between. */
import { pieceBytes, ShareOperation as Wire } from '../contract/share-wire.ts';
import { answer, outHeaderBytes, type Question } from './fuse-wire.ts';
import type { Node } from './node-table.ts';
import type { ShareContext } from './share-context.ts';

/** Requests all pieces at once; those beyond the end are short. */
export function readPieces(
  share: ShareContext,
  question: Question,
  handle: number,
  offset: number,
  length: number,
): void {
  const count = Math.max(1, Math.ceil(length / pieceBytes));
  const pieces: Buffer[] = new Array(count);
  let missing = count;
  let errno = 0;
  for (let index = 0; index < count; index++) {
    const at = index * pieceBytes;
    const size = Math.min(pieceBytes, length - at);
    share.link.ask(
      Wire.read,
      (frame) =>
        frame
          .u64(handle)
          .u64(offset + at)
          .u32(size),
      (reader) => {
        if (reader.errno !== 0) errno = reader.errno;
        else pieces[index] = reader.raw(reader.left);
        if (--missing > 0) return;
        if (errno !== 0) return share.fail(question, errno);
        replyData(share, question, joined(pieces));
      },
    );
  }
}

/** Joins pieces; a short one is the file's end, and later ones are ignored. */
function joined(pieces: readonly Buffer[]): Buffer {
  const end = pieces.findIndex((piece) => piece.length < pieceBytes);
  const counting = end === -1 ? pieces : pieces.slice(0, end + 1);
  return counting.length === 1 ? counting[0]! : Buffer.concat(counting);
}

export function replyData(share: ShareContext, question: Question, data: Buffer): void {
  const bytes = Buffer.allocUnsafe(outHeaderBytes + data.length);
  answer(question.unique, 0).copy(bytes);
  bytes.writeUInt32LE(bytes.length, 0);
  data.copy(bytes, outHeaderBytes);
  share.reply(question, bytes);
}

/** Beginning of a file at its opening, valid until it may have changed (table's clock). */
export interface Prefetched {
  data: Buffer;
  isWhole: boolean;
  at: number;
}

export function fromPrefetched(
  { node, prefetched }: { node: Node; prefetched: Prefetched | undefined },
  offset: number,
  length: number,
): Buffer | undefined {
  if (prefetched === undefined || node.changedAt > prefetched.at) return undefined;
  const { data, isWhole } = prefetched;
  if (offset + length > data.length && !isWhole) return undefined;
  return data.subarray(offset, offset + length);
}
