/** Reads a request's query parameters, with dockerd's rules for booleans. */
import type { FastifyRequest } from 'fastify';
import { invalid } from '../errors.ts';

export class Query {
  readonly #values: Record<string, string | string[] | undefined>;

  constructor(request: FastifyRequest) {
    this.#values = request.query as Record<string, string | string[] | undefined>;
  }

  /** The first value; an empty one counts as absent, as in Go's FormValue. */
  text(name: string): string | undefined {
    return this.texts(name)[0] || undefined;
  }

  texts(name: string): string[] {
    const value = this.#values[name];
    if (value === undefined) return [];
    return Array.isArray(value) ? value : [value];
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw invalid(`bad parameter: "${name}" is required`);
    return value;
  }

  /** A boolean: everything is true except these values (moby httputils.BoolValue). */
  flag(name: string, whenAbsent = false): boolean {
    const value = this.texts(name)[0]?.trim().toLowerCase();
    if (value === undefined) return whenAbsent;
    return !['', '0', 'no', 'false', 'none'].includes(value);
  }

  integer(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (!/^[+-]?\d{1,15}$/.test(value))
      throw invalid(`bad parameter: "${name}" must be a whole number, not "${value}"`);
    return Number(value);
  }
}

/** Value of `:id` or another named part of the path. */
export function pathPart(request: FastifyRequest, name: string): string {
  return (request.params as Record<string, string | undefined>)[name] ?? '';
}
