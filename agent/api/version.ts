/**
 * Versions of the API. A path may begin with `/v1.NN`; without it the newest version applies. Every reply names the
 * agent's version, as dockerd's version middleware does.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type CortenError, invalid } from '../errors.ts';

export const newestVersion = '1.47';
export const oldestVersion = '1.24';

const versionPrefix = /^\/v([0-9.]+)(?=[/?]|$)/;

export function installVersions(app: FastifyInstance, productVersion: string): void {
  const headers = {
    'Api-Version': newestVersion,
    'Docker-Experimental': 'false',
    Ostype: 'linux',
    Server: `Corten/${productVersion} (linux)`,
  };
  // The hook is synchronous and remembers the last version, because every request waits for it.
  let lastServed = newestVersion;
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(headers);
    const version = apiVersionOf(request);
    const refusal = version === lastServed ? undefined : refusalOf(version);
    if (refusal === undefined) lastServed = version;
    done(refusal);
  });
}

/** Removes the version (`/v1.47/info` becomes `/info`), so that one route table serves every version. */
export function withoutVersion(url: string): string {
  const rest = url.replace(versionPrefix, '');
  return rest.startsWith('/') ? rest : `/${rest}`;
}

export function apiVersionOf(request: FastifyRequest): string {
  return versionPrefix.exec(request.originalUrl)?.[1] ?? newestVersion;
}

/** Whether the request's version is `version` or newer. */
export function speaks(request: FastifyRequest, version: string): boolean {
  return compareVersions(apiVersionOf(request), version) >= 0;
}

function refusalOf(version: string): CortenError | undefined {
  if (compareVersions(version, newestVersion) > 0)
    return invalid(
      `client version ${version} is too new. Maximum supported API version is ${newestVersion}`,
    );
  if (compareVersions(version, oldestVersion) < 0)
    return invalid(
      `client version ${version} is too old. Minimum supported API version is ${oldestVersion}, please upgrade your client to a newer version`,
    );
  return undefined;
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [numbersOf(a), numbersOf(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function numbersOf(version: string): number[] {
  return version.split('.').map(Number);
}
