/** Checks a login for `docker login` (POST /auth). */
import type { RegistryCredentials } from '../../contract/image.ts';
import { CortenError } from '../../errors.ts';
import { domainOfServer, endpointsOf, type RegistryOptions } from './endpoints.ts';
import { problemOf } from './errors.ts';
import { readBody } from './http.ts';
import { reachable } from './repository.ts';
import { RegistrySession } from './session.ts';

const loginTimeoutMs = 60_000;

/** Resolves with an identity token if the registry returns one. Throws unauthorized. */
export async function login(
  credentials: RegistryCredentials,
  options: RegistryOptions,
): Promise<{ identityToken?: string }> {
  const signal = AbortSignal.timeout(loginTimeoutMs);
  const domain = domainOfServer(credentials.serverAddress);
  const own = endpointsOf(domain, { ...options, registryMirrors: [] });
  const [endpoint] = await reachable(own, signal);
  if (endpoint === undefined) throw new CortenError('internal', 'a registry without an address');
  const session = new RegistrySession(endpoint, credentials);
  const response = await session.send({ method: 'GET', path: '', signal });
  const body = await readBody(response, 64 * 1024);
  if (response.status === 200)
    return session.identityToken === undefined ? {} : { identityToken: session.identityToken };
  const { code, message } = problemOf(body, response.status);
  if (response.status === 401 || response.status === 403)
    throw new CortenError(
      'unauthorized',
      `login attempt to ${endpoint.base.origin}/v2/ failed: ${code === '' ? 'unauthorized' : code.toLowerCase()}: incorrect username or password`,
    );
  throw new CortenError(
    'unavailable',
    `login attempt to ${endpoint.base.origin}/v2/ failed: ${message}`,
  );
}
