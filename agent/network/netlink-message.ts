/**
 * The netlink message format (RFC 3549, linux/netlink.h): a 16-byte header, a fixed body that depends on the type,
 * then attributes. Everything is in host byte order and 4-byte aligned; amd64 and arm64 are both little-endian.
 */

export const Flag = {
  request: 0x1,
  multi: 0x2,
  ack: 0x4,
  dump: 0x300,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
} as const;

/** Flag of an acknowledgement with attributes, and of one that does not repeat the request. */
const flagAckTlvs = 0x200;
const flagAckCapped = 0x100;

export const MessageType = { error: 2, done: 3 } as const;

const nestedFlag = 0x8000;
const byteOrderFlag = 0x4000;
const typeMask = ~(nestedFlag | byteOrderFlag);
const headerBytes = 16;

export interface Message {
  type: number;
  flags: number;
  sequence: number;
  body: Buffer;
}

export function encodeMessage(
  type: number,
  flags: number,
  sequence: number,
  ...parts: Buffer[]
): Buffer {
  const header = Buffer.alloc(headerBytes);
  const length = headerBytes + parts.reduce((sum, part) => sum + part.length, 0);
  header.writeUInt32LE(length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(flags, 6);
  header.writeUInt32LE(sequence, 8);
  return padded(Buffer.concat([header, ...parts]));
}

/** Decodes the messages of one datagram. Throws when one is cut off. */
export function* decodeMessages(datagram: Buffer): Generator<Message> {
  let offset = 0;
  while (offset + headerBytes <= datagram.length) {
    const length = datagram.readUInt32LE(offset);
    if (length < headerBytes || offset + length > datagram.length)
      throw new Error(`netlink message of ${length} bytes does not fit its datagram`);
    yield {
      type: datagram.readUInt16LE(offset + 4),
      flags: datagram.readUInt16LE(offset + 6),
      sequence: datagram.readUInt32LE(offset + 8),
      body: datagram.subarray(offset + headerBytes, offset + length),
    };
    offset += align(length);
  }
}

export function attribute(type: number, value: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt16LE(4 + value.length, 0);
  header.writeUInt16LE(type, 2);
  return padded(Buffer.concat([header, value]));
}

export function nested(type: number, ...attributes: Buffer[]): Buffer {
  return attribute(type | nestedFlag, Buffer.concat(attributes));
}

export const text = (type: number, value: string) => attribute(type, Buffer.from(`${value}\0`));

export function uint32(type: number, value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value, 0);
  return attribute(type, buffer);
}

export const uint8 = (type: number, value: number) => attribute(type, Buffer.from([value]));

/** Attributes by type. Of a repeated type the last one wins, as in the kernel's own parser. */
export function decodeAttributes(buffer: Buffer): Map<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  for (const [type, value] of attributeList(buffer)) attributes.set(type, value);
  return attributes;
}

/** Attributes in order, for lists whose elements share one type. */
export function* attributeList(buffer: Buffer): Generator<[number, Buffer]> {
  let offset = 0;
  while (offset + 4 <= buffer.length) {
    const length = buffer.readUInt16LE(offset);
    if (length < 4 || offset + length > buffer.length) return;
    yield [
      buffer.readUInt16LE(offset + 2) & typeMask,
      buffer.subarray(offset + 4, offset + length),
    ];
    offset += align(length);
  }
}

export function textOf(value: Buffer | undefined): string | undefined {
  return value?.toString('latin1').replace(/\0.*$/s, '');
}

/**
 * Decodes an acknowledgement: errno (0 for success) and the kernel's message, if any (NLMSGERR_ATTR_MSG). The request
 * is repeated between the two unless the acknowledgement is capped.
 */
export function decodeAck(message: Message): { errno: number; hint: string | undefined } {
  const errno = -message.body.readInt32LE(0);
  if ((message.flags & flagAckTlvs) === 0) return { errno, hint: undefined };
  const repeated =
    (message.flags & flagAckCapped) !== 0 ? headerBytes : message.body.readUInt32LE(4);
  const attributes = decodeAttributes(message.body.subarray(4 + align(repeated)));
  return { errno, hint: textOf(attributes.get(1)) };
}

const align = (length: number) => (length + 3) & ~3;

function padded(buffer: Buffer): Buffer {
  const missing = align(buffer.length) - buffer.length;
  return missing === 0 ? buffer : Buffer.concat([buffer, Buffer.alloc(missing)]);
}
