import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeQuery, encodeResponse, fitForUdp, RecordType, ResponseCode } from './dns-message.ts';
import { FrameReader, framed } from './framing.ts';

const question = Buffer.from('123401000001000000000000' + '03415069' + '00' + '00010001', 'hex');

test('a question is read without regard to case, and its answer repeats it as it came', () => {
  const query = decodeQuery(question);
  assert.equal(query?.name, 'api');
  assert.equal(query?.type, RecordType.a);
  const answer = { type: RecordType.a, data: Buffer.from([10, 0, 0, 2]) };
  const response = encodeResponse(query!, ResponseCode.ok, [answer], 5, 'udp');
  assert.equal(response.readUInt16BE(0), 0x1234);
  assert.equal(response.readUInt16BE(6), 1);
  assert.deepEqual(response.subarray(12, question.length), question.subarray(12));
  assert.deepEqual(response.subarray(-4), answer.data);
});

test('an answer too long for UDP says so, and comes whole by TCP', () => {
  const query = decodeQuery(question)!;
  const many = Array.from({ length: 40 }, () => ({ type: RecordType.a, data: Buffer.alloc(4) }));
  const short = encodeResponse(query, ResponseCode.ok, many, 5, 'udp');
  assert.ok(short.length <= 512);
  assert.equal(short.readUInt16BE(2) & 0x0200, 0x0200);
  assert.equal(encodeResponse(query, ResponseCode.ok, many, 5, 'tcp').readUInt16BE(6), 40);
});

test('what is not one plain question is not answered', () => {
  for (const length of [0, 5, 12, 14, question.length - 1])
    assert.equal(decodeQuery(question.subarray(0, length)), undefined, `${length} bytes`);
  const response = Buffer.from(question);
  response[2] = 0x80;
  assert.equal(decodeQuery(response), undefined);
  const pointer = Buffer.from(question);
  pointer[12] = 0xc0;
  assert.equal(decodeQuery(pointer), undefined);
});

test('a whole answer is cut for UDP, unless the client said that it takes more', () => {
  const query = decodeQuery(question)!;
  const many = Array.from({ length: 40 }, () => ({ type: RecordType.a, data: Buffer.alloc(4) }));
  const whole = encodeResponse(query, ResponseCode.ok, many, 5, 'tcp');
  const cut = fitForUdp(question, whole);
  assert.ok(cut.length <= 512);
  assert.equal(cut.readUInt16BE(2) & 0x0200, 0x0200);
  assert.equal(cut.readUInt16BE(6), 0);
  assert.deepEqual(cut.subarray(12), question.subarray(12));
  // EDNS (RFC 6891, 6.1.2): an OPT record whose class is the size.
  const asking = Buffer.concat([question, Buffer.from('0000290fa0000000000000', 'hex')]);
  asking.writeUInt16BE(1, 10);
  assert.deepEqual(fitForUdp(asking, whole), whole);
});

test('messages over TCP are found in pieces of any size', () => {
  const frames = new FrameReader();
  const bytes = Buffer.concat([framed(question), framed(Buffer.from('xy'))]);
  const found = [...bytes].flatMap((byte) => frames.push(Buffer.of(byte)));
  assert.deepEqual(found, [question, Buffer.from('xy')]);
});
