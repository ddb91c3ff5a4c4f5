/** Encodes a plan into one growing buffer, because a plan has a hundred small parts. */
import { invalid } from '../errors.ts';

const alignment = 8;
const usualBytes = 16 * 1024;

export class PlanWriter {
  #memory = Buffer.allocUnsafe(usualBytes);
  #length = 0;

  /** Writes a padded record: `tag u32, length u32, bytes`. `content` writes the bytes. */
  record(tag: number, content: () => void): void {
    this.u32(tag);
    this.u32(0);
    const begin = this.#length;
    content();
    this.#memory.writeUInt32LE(this.#length - begin, begin - 4);
    while ((this.#length - begin) % alignment !== 0) this.#zero();
  }

  u32(value: number): void {
    const at = this.#take(4);
    this.#memory.writeUInt32LE(value, at);
  }

  i32(value: number): void {
    const at = this.#take(4);
    this.#memory.writeInt32LE(value, at);
  }

  u64(value: bigint): void {
    const at = this.#take(8);
    this.#memory.writeBigUInt64LE(value, at);
  }

  raw(bytes: Buffer): void {
    const at = this.#take(bytes.length);
    bytes.copy(this.#memory, at);
  }

  /** Text without a terminator, which must come last in a record. */
  characters(value: string): void {
    const at = this.#take(Buffer.byteLength(value));
    this.#memory.write(value, at);
  }

  /** A C string. Throws invalid for a text with a NUL, which would end the string early. */
  text(value: string): void {
    if (value.includes('\0'))
      throw invalid(`"${value.replaceAll('\0', '\\0')}" contains a zero byte`);
    this.characters(value);
    this.#zero();
  }

  list(values: readonly string[]): void {
    this.u32(values.length);
    for (const value of values) this.text(value);
  }

  bytes(): Buffer {
    return this.#memory.subarray(0, this.#length);
  }

  #zero(): void {
    const at = this.#take(1);
    this.#memory[at] = 0;
  }

  /** Reserves the next `bytes` bytes. The buffer may be replaced by this call. */
  #take(bytes: number): number {
    const begin = this.#length;
    this.#length += bytes;
    if (this.#length > this.#memory.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#length, this.#memory.length * 2));
      this.#memory.copy(larger, 0, 0, begin);
      this.#memory = larger;
    }
    return begin;
  }
}
