/**
 * The key sequence that detaches from a terminal. The server looks for it in the client's input (moby pkg term,
 * NewEscapeProxy).
 */
import { invalid } from '../errors.ts';

export const defaultDetachKeys = 'ctrl-p,ctrl-q';

const controlCodes: Record<string, number> = { '@': 0, '[': 27, '\\': 28, ']': 29, '^': 30, _: 31 };

/** Parses `a` and `ctrl-x`, separated by commas, into bytes. Throws invalid. */
export function parseDetachKeys(text: string): Buffer {
  return Buffer.from(text.split(',').map(keyCode));
}

function keyCode(key: string): number {
  if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
  const control = /^ctrl-(.)$/.exec(key)?.[1];
  if (control !== undefined && /[a-z]/.test(control)) return control.charCodeAt(0) - 96;
  const code = control === undefined ? undefined : controlCodes[control];
  if (code === undefined)
    throw invalid(
      `Invalid detach keys: "${key}" is neither one character nor ctrl- with one of a-z @ [ \\ ] ^ _`,
    );
  return code;
}

/** Passes input on, but holds back what may be the beginning of the sequence. */
export class DetachWatcher {
  readonly #keys: Buffer;
  #matched = 0;

  constructor(keys: Buffer) {
    this.#keys = keys;
  }

  /** Returns the bytes for the process, and whether the sequence is complete. */
  push(typed: Buffer): { data: Buffer; detached: boolean } {
    const passed: number[] = [];
    for (const byte of typed) {
      if (byte === this.#keys[this.#matched]) {
        this.#matched++;
        if (this.#matched === this.#keys.length)
          return { data: Buffer.from(passed), detached: true };
        continue;
      }
      passed.push(...this.#keys.subarray(0, this.#matched));
      this.#matched = byte === this.#keys[0] ? 1 : 0;
      if (this.#matched === 0) passed.push(byte);
    }
    return { data: Buffer.from(passed), detached: false };
  }
}
