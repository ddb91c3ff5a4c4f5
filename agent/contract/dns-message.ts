/** The part of the DNS message format (RFC 1035, section 4) that a forwarding name server needs. */

export const RecordType = { a: 1, ptr: 12, aaaa: 28, opt: 41, any: 255 } as const;
export const ResponseCode = { ok: 0, formatError: 1, serverFailure: 2, noSuchName: 3 } as const;

const classInternet = 1;
const headerBytes = 12;
/** What a client takes over UDP without saying more (RFC 1035, 4.2.1). */
const udpLimitBytes = 512;
const flagResponse = 0x8000;
const flagAuthoritative = 0x0400;
const flagTruncated = 0x0200;
const flagRecursionDesired = 0x0100;
const flagRecursionAvailable = 0x0080;

export interface Query {
  id: number;
  /** Lower case, without the last dot. */
  name: string;
  type: number;
  flags: number;
  /** The question section as it came, case included, for the answer to repeat (RFC 1035, 4.1.2). */
  question: Buffer;
}

export interface Answer {
  type: number;
  data: Buffer;
}

/** Undefined for what is not one plain question in class IN; such is passed on or dropped. */
export function decodeQuery(message: Buffer): Query | undefined {
  if (message.length < headerBytes) return undefined;
  const flags = message.readUInt16BE(2);
  const opcode = (flags >> 11) & 15;
  if ((flags & flagResponse) !== 0 || opcode !== 0 || message.readUInt16BE(4) !== 1)
    return undefined;
  const name = decodeName(message, headerBytes);
  if (name === undefined || name.end + 4 > message.length) return undefined;
  if (message.readUInt16BE(name.end + 2) !== classInternet) return undefined;
  return {
    id: message.readUInt16BE(0),
    name: name.text.toLowerCase(),
    type: message.readUInt16BE(name.end),
    flags,
    question: message.subarray(headerBytes, name.end + 4),
  };
}

/** One plain question with recursion, as resolvers ask. */
export function encodeQuery(name: string, type: number): Buffer {
  const fixed = Buffer.alloc(headerBytes);
  fixed.writeUInt16BE(flagRecursionDesired, 2);
  fixed.writeUInt16BE(1, 4);
  const kind = Buffer.alloc(4);
  kind.writeUInt16BE(type, 0);
  kind.writeUInt16BE(classInternet, 2);
  return Buffer.concat([fixed, encodeName(name), kind]);
}

/** Its code, and the addresses among its answers as bytes; undefined for what is no answer. */
export function decodeAnswer(message: Buffer): { code: number; records: Answer[] } | undefined {
  if (message.length < headerBytes) return undefined;
  const code = message.readUInt16BE(2) & 0xf;
  const records: Answer[] = [];
  let offset: number | undefined = headerBytes;
  for (let left = message.readUInt16BE(4); left > 0 && offset !== undefined; left--)
    offset = after(skipName(message, offset), 4);
  for (let left = message.readUInt16BE(6); left > 0 && offset !== undefined; left--) {
    const fixed = skipName(message, offset);
    if (fixed === undefined || fixed + 10 > message.length) return undefined;
    const end = fixed + 10 + message.readUInt16BE(fixed + 8);
    if (end > message.length) return undefined;
    records.push({ type: message.readUInt16BE(fixed), data: message.subarray(fixed + 10, end) });
    offset = end;
  }
  return offset === undefined ? undefined : { code, records };
}

const after = (offset: number | undefined, bytes: number) =>
  offset === undefined ? undefined : offset + bytes;

/** Where a name ends: at its root label, or behind a pointer (RFC 1035, 4.1.4). */
function skipName(message: Buffer, start: number): number | undefined {
  let offset = start;
  for (;;) {
    const length = message[offset];
    if (length === undefined) return undefined;
    if (length === 0) return offset + 1;
    if (length >= 0xc0) return offset + 2;
    offset += 1 + length;
  }
}

export function encodeResponse(
  query: Query,
  code: number,
  answers: readonly Answer[],
  ttlSeconds: number,
  transport: 'udp' | 'tcp',
): Buffer {
  const records = answers.map((answer) => {
    const fixed = Buffer.alloc(12);
    // A pointer to the question's name (RFC 1035, 4.1.4).
    fixed.writeUInt16BE(0xc000 | headerBytes, 0);
    fixed.writeUInt16BE(answer.type, 2);
    fixed.writeUInt16BE(classInternet, 4);
    fixed.writeUInt32BE(ttlSeconds, 6);
    fixed.writeUInt16BE(answer.data.length, 10);
    return Buffer.concat([fixed, answer.data]);
  });
  const whole = Buffer.concat([header(query, code, records.length, 0), query.question, ...records]);
  if (transport === 'tcp' || whole.length <= udpLimitBytes) return whole;
  return Buffer.concat([header(query, code, 0, flagTruncated), query.question]);
}

/** An answer that came whole, as the one who asked by UDP can take it (RFC 1035, 4.2.1; RFC 6891). */
export function fitForUdp(asked: Buffer, answer: Buffer): Buffer {
  const query = decodeQuery(asked);
  if (query === undefined || answer.length <= udpLimitOf(asked, query)) return answer;
  const cut = Buffer.concat([answer.subarray(0, headerBytes), query.question]);
  cut.writeUInt16BE(cut.readUInt16BE(2) | flagTruncated, 2);
  cut.writeUInt16BE(1, 4);
  cut.fill(0, 6, headerBytes);
  return cut;
}

/** A question's OPT record follows it at once: nothing else stands in a question. */
function udpLimitOf(asked: Buffer, { question }: Query): number {
  const opt = headerBytes + question.length;
  const isOpt =
    asked.length >= opt + 5 && asked[opt] === 0 && asked.readUInt16BE(opt + 1) === RecordType.opt;
  return isOpt ? Math.max(udpLimitBytes, asked.readUInt16BE(opt + 3)) : udpLimitBytes;
}

/** A name as labels, for a PTR answer. */
export function encodeName(name: string): Buffer {
  const labels = name.split('.').flatMap((label) => {
    const bytes = Buffer.from(label.slice(0, 63), 'latin1');
    return [Buffer.from([bytes.length]), bytes];
  });
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function header(query: Query, code: number, answerCount: number, extraFlags: number): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  bytes.writeUInt16BE(query.id, 0);
  bytes.writeUInt16BE(
    flagResponse |
      flagAuthoritative |
      flagRecursionAvailable |
      extraFlags |
      (query.flags & flagRecursionDesired) |
      code,
    2,
  );
  bytes.writeUInt16BE(1, 4);
  bytes.writeUInt16BE(answerCount, 6);
  return bytes;
}

/** A question's name is never compressed: it is the first name of the message. */
function decodeName(message: Buffer, start: number): { text: string; end: number } | undefined {
  const labels: string[] = [];
  let offset = start;
  for (;;) {
    const length = message[offset];
    if (length === undefined || length > 63) return undefined;
    offset++;
    if (length === 0) return { text: labels.join('.'), end: offset };
    if (offset + length > message.length) return undefined;
    labels.push(message.toString('latin1', offset, offset + length));
    offset += length;
  }
}
