/**
 * A wire message as one binary frame:
 *
 *   type u8 | id u32 | channel u8 length, ASCII | field u8 length, ASCII | JSON u32 length, UTF-8 | bytes
 *
 * The value's field of bytes travels behind its JSON, unencoded; `field` is its name, empty when
 * there is none. No JSON means undefined, or an object of nothing but the bytes.
 */
import { splitBytes, type WireMessage } from './wire.ts';

const types = [
  'request',
  'stream',
  'duplex',
  'send',
  'credit',
  'close',
  'result',
  'item',
  'opened',
  'end',
  'failure',
] as const satisfies WireMessage['type'][];

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
const nothing = new Uint8Array();

/** A frame that no encoder of ours makes. Whoever sent it is not to be talked with further. */
export class FrameError extends Error {
  constructor(reason: string) {
    super(`A frame that does not follow the wire's form: ${reason}.`);
    this.name = 'FrameError';
  }
}

export function encode(message: WireMessage): Uint8Array {
  const value = 'value' in message ? message.value : undefined;
  const { field = '', bytes = nothing } = splitBytes(value);
  const channel = encoder.encode('channel' in message ? message.channel : '');
  const fieldName = encoder.encode(field);
  const json = jsonWithout(value, field);
  const frame = new Uint8Array(11 + channel.length + fieldName.length + json.length + bytes.length);
  const view = new DataView(frame.buffer);
  let at = 0;
  view.setUint8(at++, types.indexOf(message.type));
  view.setUint32(at, message.id);
  at += 4;
  for (const name of [channel, fieldName]) {
    view.setUint8(at++, name.length);
    frame.set(name, at);
    at += name.length;
  }
  view.setUint32(at, json.length);
  frame.set(json, at + 4);
  frame.set(bytes, at + 4 + json.length);
  return frame;
}

/** The bytes inside the message are a view of `frame`, not a copy. */
export function decode(frame: Uint8Array): WireMessage {
  const reader = new FrameReader(frame);
  const type = types[reader.u8()];
  if (type === undefined) throw new FrameError('unknown type');
  const id = reader.u32();
  const channel = reader.text(reader.u8());
  const field = reader.text(reader.u8());
  const json = reader.text(reader.u32());
  const value = assemble(json, field, reader.rest());
  const message = { type, id, ...(channel === '' ? {} : { channel }) };
  // The types are as free as JSON here; who acts on a message checks the channel's name and shape.
  return (value === undefined ? message : { ...message, value }) as WireMessage;
}

function jsonWithout(value: unknown, field: string): Uint8Array {
  if (value === undefined) return nothing;
  if (field === '') return encoder.encode(JSON.stringify(value));
  const { [field]: _bytes, ...rest } = value as Record<string, unknown>;
  return Object.keys(rest).length === 0 ? nothing : encoder.encode(JSON.stringify(rest));
}

function assemble(json: string, field: string, bytes: Uint8Array): unknown {
  const value: unknown = json === '' ? undefined : parse(json);
  if (field === '') {
    if (bytes.length > 0) throw new FrameError('bytes without a field');
    return value;
  }
  if (value !== undefined && (typeof value !== 'object' || value === null || Array.isArray(value)))
    throw new FrameError('bytes beside something that is no object');
  return Object.defineProperty(value ?? {}, field, {
    value: bytes,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new FrameError('broken JSON');
  }
}

class FrameReader {
  readonly #frame: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(frame: Uint8Array) {
    this.#frame = frame;
    this.#view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  text(length: number): string {
    const start = this.#take(length);
    try {
      return decoder.decode(this.#frame.subarray(start, start + length));
    } catch {
      throw new FrameError('text that is not UTF-8');
    }
  }

  rest(): Uint8Array {
    return this.#frame.subarray(this.#at);
  }

  #take(length: number): number {
    const start = this.#at;
    if (start + length > this.#frame.length) throw new FrameError('cut short');
    this.#at += length;
    return start;
  }
}
