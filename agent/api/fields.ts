/**
 * Reads a client's JSON with types. Null equals absent and names match in any case, as in Go's decoder; a value of a
 * wrong type throws invalid with the field's whole path.
 */
import { invalid } from '../errors.ts';

export type Document = Record<string, unknown>;

export class Fields {
  readonly #path: string;
  readonly #values: ReadonlyMap<string, unknown>;
  readonly document: Document;

  constructor(value: unknown, path = '') {
    this.#path = path;
    this.document = asDocument(value, path || 'the request body');
    this.#values = new Map(
      Object.entries(this.document).map(([name, field]) => [name.toLowerCase(), field]),
    );
  }

  has(name: string): boolean {
    return this.#raw(name) !== undefined;
  }

  text(name: string): string | undefined {
    return this.#typed(name, 'a string', isText);
  }

  /** A string; `undefined` when absent or empty. */
  filled(name: string): string | undefined {
    return this.text(name) || undefined;
  }

  flag(name: string): boolean | undefined {
    return this.#typed(name, 'true or false', (value) => typeof value === 'boolean');
  }

  integer(name: string): number | undefined {
    return this.#typed(name, 'a whole number', isInteger);
  }

  integers(name: string): number[] | undefined {
    return this.#typed(name, 'a list of whole numbers', isIntegers);
  }

  texts(name: string): string[] | undefined {
    return this.#typed(name, 'a list of strings', isTexts);
  }

  /** A command: one string or a list (moby strslice). */
  words(name: string): string[] | undefined {
    const value = this.#raw(name);
    return isText(value) ? [value] : this.texts(name);
  }

  textMap(name: string): Record<string, string> {
    const fields = this.object(name);
    if (fields === undefined) return {};
    for (const key of Object.keys(fields.document)) {
      if (!isText(fields.document[key]))
        throw wrongType(`${this.#pathOf(name)}.${key}`, 'a string', fields.document[key]);
    }
    return fields.document as Record<string, string>;
  }

  object(name: string): Fields | undefined {
    const value = this.#raw(name);
    return value === undefined ? undefined : new Fields(value, this.#pathOf(name));
  }

  /** Like `object`, but absence equals `{}`. */
  objectOrEmpty(name: string): Fields {
    return this.object(name) ?? new Fields({}, this.#pathOf(name));
  }

  objects(name: string): Fields[] {
    const list = this.#typed(name, 'a list', Array.isArray) ?? [];
    return list.map((item, index) => new Fields(item, `${this.#pathOf(name)}[${index}]`));
  }

  keys(): string[] {
    return Object.keys(this.document);
  }

  #raw(name: string): unknown {
    const exact = this.document[name];
    const value = exact === undefined ? this.#values.get(name.toLowerCase()) : exact;
    return value === null ? undefined : value;
  }

  #typed<T>(name: string, expected: string, fits: (value: unknown) => value is T): T | undefined {
    const value = this.#raw(name);
    if (value === undefined || fits(value)) return value as T | undefined;
    throw wrongType(this.#pathOf(name), expected, value);
  }

  #pathOf(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isInteger = (value: unknown): value is number => Number.isSafeInteger(value);
const isIntegers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every(isInteger);
const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);

function asDocument(value: unknown, path: string): Document {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Document;
  throw wrongType(path, 'an object', value);
}

function wrongType(path: string, expected: string, value: unknown): Error {
  const shown = JSON.stringify(value)?.slice(0, 60);
  return invalid(`invalid JSON: ${path} must be ${expected}, not ${shown}`);
}
