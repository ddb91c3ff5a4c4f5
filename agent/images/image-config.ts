/** Checks the `config` object of an image (OCI config.md), which is untrusted. */
import type { ImageConfig } from '../contract/image.ts';
import { invalid } from '../errors.ts';

const lists = ['Env', 'Entrypoint', 'Cmd', 'Shell', 'OnBuild'] as const;
const words = ['User', 'WorkingDir', 'StopSignal'] as const;
const maps = ['ExposedPorts', 'Volumes', 'Labels'] as const;

/** Throws invalid when a field has another type than in the specification. */
export function checkedConfig(value: Record<string, unknown>): ImageConfig {
  const given = Object.fromEntries(Object.entries(value).filter(([, field]) => field != null));
  for (const name of lists)
    if (name in given && !isStrings(given[name])) throw wrong(name, 'a list of strings');
  for (const name of words)
    if (name in given && typeof given[name] !== 'string') throw wrong(name, 'a string');
  for (const name of maps) if (name in given && !isMap(given[name])) throw wrong(name, 'an object');
  if (isMap(given.Labels) && !isStrings(Object.values(given.Labels)))
    throw wrong('Labels', 'an object of strings');
  if ('Healthcheck' in given && !isMap(given.Healthcheck)) throw wrong('Healthcheck', 'an object');
  if (isMap(given.Healthcheck)) checkHealth(given.Healthcheck);
  return given as ImageConfig;
}

function checkHealth(health: Record<string, unknown>): void {
  if (health.Test != null && !isStrings(health.Test))
    throw wrong('Healthcheck.Test', 'a list of strings');
  for (const name of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries'])
    if (health[name] != null && typeof health[name] !== 'number')
      throw wrong(`Healthcheck.${name}`, 'a number');
}

function isStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const wrong = (field: string, type: string) =>
  invalid(`the image configuration is not valid: ${field} is not ${type}`);
