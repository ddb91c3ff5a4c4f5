/**
 * Messages over a stream: each follows its length in two bytes, as DNS has it over TCP (RFC 1035,
 * 4.2.2). Both ends of an SSH channel that carries datagrams or DNS questions use it.
 */

/** One message of one or more parts; together at most 65,535 bytes. */
export function framed(...parts: Uint8Array[]): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(parts.reduce((sum, part) => sum + part.length, 0));
  return Buffer.concat([length, ...parts]);
}

export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);

  push(piece: Buffer): Buffer[] {
    const bytes = this.#pending.length === 0 ? piece : Buffer.concat([this.#pending, piece]);
    const messages: Buffer[] = [];
    let start = 0;
    while (bytes.length - start >= 2) {
      const end = start + 2 + bytes.readUInt16BE(start);
      if (bytes.length < end) break;
      messages.push(bytes.subarray(start + 2, end));
      start = end;
    }
    this.#pending = bytes.subarray(start);
    return messages;
  }
}
