/**
 * Secrets of builds that are about to begin. The classic `POST /build` has no place for them: its body is the context and
 * its query is logged by proxies. So a client leaves them here first, under the ref of its build. They are in memory only.
 */
import { invalid } from '../../errors.ts';

/** BuildKit's limit for one secret (session/secrets, MaxSecretSize). */
export const maxSecretBytes = 500 * 1024;
/** All of one build's, and how many builds may wait at a time: what clients leave must not fill the memory. */
const maxSecrets = 64;
const maxWaiting = 64;
const waitsMs = 60_000;

export class WaitingSecrets {
  readonly #waiting = new Map<string, { secrets: Map<string, Buffer>; timer: NodeJS.Timeout }>();

  /** Values in base64, by id. They are dropped when the build does not begin within a minute. Throws invalid. */
  leave(ref: string, values: Readonly<Record<string, string>>): void {
    const entries = Object.entries(values);
    if (entries.length > maxSecrets) throw invalid(`a build has at most ${maxSecrets} secrets`);
    const secrets = new Map(entries.map(([id, text]) => [id, secretOf(id, text)]));
    this.take(ref);
    if (this.#waiting.size >= maxWaiting) throw invalid('too many builds wait with their secrets');
    const timer = setTimeout(() => this.#waiting.delete(ref), waitsMs).unref();
    this.#waiting.set(ref, { secrets, timer });
  }

  /** Gives them to the build, once. */
  take(ref: string | undefined): ReadonlyMap<string, Buffer> | undefined {
    const found = ref === undefined ? undefined : this.#waiting.get(ref);
    if (ref === undefined || found === undefined) return undefined;
    clearTimeout(found.timer);
    this.#waiting.delete(ref);
    return found.secrets;
  }
}

function secretOf(id: string, text: string): Buffer {
  const value = Buffer.from(text, 'base64');
  if (value.toString('base64') !== text) throw invalid(`the secret ${id} is not in base64`);
  if (value.length > maxSecretBytes)
    throw invalid(`the secret ${id} has ${value.length} bytes: at most ${maxSecretBytes}`);
  return value;
}
