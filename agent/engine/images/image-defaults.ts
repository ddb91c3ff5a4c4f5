/** Settings that a container takes from its image where the request names none. */

import type { ContainerSettings, ContainerView, HealthCheck } from '../../contract/container.ts';
import { variableName, withoutThoseOf } from '../../contract/environment.ts';
import type { ImageConfig } from '../../contract/image.ts';
import { invalid } from '../../errors.ts';

const nanosPerMs = 1_000_000;

/**
 * Fills in the image's values as Docker merges them. The image and the request both override
 * `machineEnv`.
 */
export function withImageDefaults(
  settings: ContainerSettings,
  image: ImageConfig,
  machineEnv: readonly string[] = [],
): ContainerSettings {
  // An entrypoint in the request drops the image's arguments, which belonged to the image's
  // entrypoint.
  const args = settings.args ?? (settings.entrypoint === undefined ? image.Cmd : undefined);
  const entrypoint = settings.entrypoint ?? image.Entrypoint;
  const user = settings.user || image.User;
  const workingDirectory = settings.workingDirectory || image.WorkingDir;
  const stopSignal = settings.stopSignal || image.StopSignal;
  const health = healthOf(settings.health, image.Healthcheck);
  return {
    ...settings,
    env: mergedEnv(
      mergedEnv(unsaid(machineEnv, [...(image.Env ?? []), ...settings.env]), image.Env ?? []),
      settings.env,
    ),
    labels: { ...image.Labels, ...settings.labels },
    network: {
      ...settings.network,
      exposedPorts: [
        ...new Set([...Object.keys(image.ExposedPorts ?? {}), ...settings.network.exposedPorts]),
      ],
    },
    ...(entrypoint && { entrypoint }),
    ...(args && { args }),
    ...(user && { user }),
    ...(workingDirectory && { workingDirectory }),
    ...(stopSignal && { stopSignal }),
    ...(health && { health }),
  };
}

/** The command line of a container with these settings. */
export function processOf(settings: ContainerSettings): ContainerView['process'] {
  const words = [...(settings.entrypoint ?? []), ...(settings.args ?? [])];
  const [path, ...args] = words[0] === '' ? words.slice(1) : words;
  if (path === undefined)
    throw invalid('No command specified: neither the image nor the request has one.');
  return {
    path,
    args,
    env: settings.env,
    workingDirectory: settings.workingDirectory || '/',
    user: settings.user ?? '',
  };
}

/**
 * Programs read a proxy variable in upper or lower case, so a variable given in one case also
 * suppresses the machine's in the other case.
 */
function unsaid(machineEnv: readonly string[], said: readonly string[]): string[] {
  const nameOf = (entry: string) => variableName(entry).toLowerCase();
  const names = new Set(said.map(nameOf));
  return machineEnv.filter((entry) => !names.has(nameOf(entry)));
}

/**
 * The image's environment with the user's on top. A `NAME` without a value removes the image's
 * variable.
 */
function mergedEnv(image: readonly string[], given: readonly string[]): string[] {
  return [...withoutThoseOf(image, given), ...given.filter((entry) => entry.includes('='))];
}

function healthOf(
  given: HealthCheck | undefined,
  image: ImageConfig['Healthcheck'],
): HealthCheck | undefined {
  // An empty test inherits the image's test, and given numbers override the image's.
  if (given !== undefined && given.test.length > 0) return given;
  if (image?.Test === undefined || image.Test.length === 0) return undefined;
  const pick = (own: number | undefined, nanos: number | undefined) =>
    own || Math.round((nanos ?? 0) / nanosPerMs);
  return {
    test: image.Test,
    intervalMs: pick(given?.intervalMs, image.Interval),
    timeoutMs: pick(given?.timeoutMs, image.Timeout),
    startPeriodMs: pick(given?.startPeriodMs, image.StartPeriod),
    startIntervalMs: pick(given?.startIntervalMs, image.StartInterval),
    retries: given?.retries || (image.Retries ?? 0),
  };
}
