/**
 * Reads an untrusted JSON document: values must have the type of the specification, and errors contain the path of
 * the wrong one. Unknown properties are ignored, as config.md demands ("Extensibility").
 */
import { invalid } from '../errors.ts';

export class JsonReader {
  readonly #value: unknown;
  readonly #path: string;

  constructor(value: unknown, path: string) {
    // Go writes absent lists and objects as null.
    this.#value = value ?? undefined;
    this.#path = path;
  }

  get isPresent(): boolean {
    return this.#value !== undefined;
  }

  /** Reader of a property; a missing property reads as absent. */
  at(name: string): JsonReader {
    const object = this.#value === undefined ? undefined : this.#object();
    return new JsonReader(object?.[name], `${this.#path}.${name}`);
  }

  string(): string | undefined {
    return this.#typed('string', (value) => typeof value === 'string');
  }

  boolean(): boolean | undefined {
    return this.#typed('boolean', (value) => typeof value === 'boolean');
  }

  /** A whole number. */
  integer(): number | undefined {
    return this.#typed('whole number', (value) => Number.isInteger(value));
  }

  list<T>(read: (item: JsonReader) => T): T[] | undefined {
    const items = this.#typed<unknown[]>('list', Array.isArray);
    return items?.map((item, index) => read(new JsonReader(item, `${this.#path}[${index}]`)));
  }

  map<T>(read: (item: JsonReader) => T): Record<string, T> | undefined {
    if (this.#value === undefined) return undefined;
    const entries = Object.entries(this.#object());
    return Object.fromEntries(
      entries.map(([key, item]) => [key, read(new JsonReader(item, `${this.#path}.${key}`))]),
    );
  }

  strings(): string[] | undefined {
    return this.list((item) => item.required().string());
  }

  /** Throws invalid when it is absent. */
  required() {
    if (!this.isPresent) throw this.wrong('is missing');
    return {
      string: () => this.string()!,
      boolean: () => this.boolean()!,
      integer: () => this.integer()!,
      strings: () => this.strings()!,
    };
  }

  /** Error about this value, with its path. */
  wrong(reason: string): Error {
    return invalid(`${this.#path} ${reason}`);
  }

  #object(): Record<string, unknown> {
    const isObject = (value: unknown) => typeof value === 'object' && !Array.isArray(value);
    return this.#typed<Record<string, unknown>>('object', isObject)!;
  }

  #typed<T>(type: string, matches: (value: unknown) => boolean): T | undefined {
    if (this.#value === undefined) return undefined;
    if (!matches(this.#value)) throw this.wrong(`must be a ${type}`);
    return this.#value as T;
  }
}
