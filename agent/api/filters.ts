/**
 * Reads the `filters` parameter: a JSON object from a filter's name to its values, either as a list
 * (`{"status":["running"]}`) or, as Go's clients send it, as a set (`{"status":{"running":true}}`).
 */
import type { FastifyRequest } from 'fastify';
import { invalid } from '../errors.ts';
import type { LabelFilter } from './containers/backend.ts';
import { Query } from './query.ts';
import { parseMoment } from './timestamps.ts';

export class Filters {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.get(name).length > 0;
  }

  get(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** Whether one of the filter's values fits; true without the filter. */
  some(name: string, fits: (value: string) => boolean): boolean {
    return !this.has(name) || this.get(name).some(fits);
  }

  /** A boolean filter such as `dangling`. */
  flag(name: string): boolean | undefined {
    const values = this.get(name);
    if (values.length === 0) return undefined;
    const [yes, no] = [values.some(isYes), values.some(isNo)];
    if (yes === no) throw invalid(`invalid filter '${name}=[${values.join(' ')}]'`);
    return yes;
  }

  until(now: Date): Date | undefined {
    const values = this.get('until');
    if (values.length > 1) throw invalid('more than one until filter specified');
    return values[0] === undefined ? undefined : parseMoment(values[0], now);
  }

  /** Reads `label=key`, `label=key=value` and their negations with `label!=`. */
  labels(): LabelFilter[] {
    return [
      ...this.get('label').map((text) => labelFilter(text, false)),
      ...this.get('label!').map((text) => labelFilter(text, true)),
    ];
  }
}

/** Reads the request's filters. Throws dockerd's error for a name outside `allowed`. */
export function readFilters(request: FastifyRequest, allowed: readonly string[]): Filters {
  const values = parseFilters(new Query(request).text('filters'));
  for (const name of values.keys()) {
    if (!allowed.includes(name)) throw invalid(`invalid filter '${name}'`);
  }
  return new Filters(values);
}

export function labelsMatch(
  labels: Record<string, string>,
  filters: readonly LabelFilter[],
): boolean {
  return filters.every(({ key, value, negated }) => {
    const found = Object.hasOwn(labels, key) && (value === undefined || labels[key] === value);
    return found !== negated;
  });
}

function parseFilters(text: string | undefined): Map<string, readonly string[]> {
  if (text === undefined) return new Map();
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw invalid('invalid filter', error);
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw invalid('invalid filter');
  return new Map(Object.entries(document).map(([name, values]) => [name, valuesOf(values)]));
}

function valuesOf(values: unknown): string[] {
  if (Array.isArray(values) && values.every((value) => typeof value === 'string')) return values;
  if (typeof values === 'object' && values !== null && !Array.isArray(values))
    return Object.entries(values)
      .filter(([, chosen]) => chosen === true)
      .map(([value]) => value);
  throw invalid('invalid filter');
}

function labelFilter(text: string, negated: boolean): LabelFilter {
  const equals = text.indexOf('=');
  if (equals < 0) return { key: text, negated };
  return { key: text.slice(0, equals), value: text.slice(equals + 1), negated };
}

const isYes = (value: string) => value === '1' || value.toLowerCase() === 'true';
const isNo = (value: string) => value === '0' || value.toLowerCase() === 'false';
