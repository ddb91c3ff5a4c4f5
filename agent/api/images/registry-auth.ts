/** Reads the X-Registry-Auth header: base64url of a JSON document with a registry's credentials. */
import type { FastifyRequest } from 'fastify';
import type { RegistryCredentials } from '../../contract/image.ts';
import { invalid } from '../../errors.ts';
import { Fields } from '../fields.ts';

/** Returns `undefined` without the header and for empty credentials, which mean an anonymous pull. */
export function readRegistryAuth(request: FastifyRequest): RegistryCredentials | undefined {
  const header = request.headers['x-registry-auth'];
  if (typeof header !== 'string' || header === '') return undefined;
  const credentials = readCredentials(new Fields(decode(header)));
  return Object.values(credentials).some((value) => value !== undefined) ? credentials : undefined;
}

export function readCredentials(document: Fields): RegistryCredentials {
  const [user, ...password] = Buffer.from(document.text('auth') ?? '', 'base64')
    .toString('utf8')
    .split(':');
  return {
    username: document.filled('username') ?? (user || undefined),
    password: document.filled('password') ?? (password.join(':') || undefined),
    identityToken: document.filled('identitytoken'),
    registryToken: document.filled('registrytoken'),
    serverAddress: document.filled('serveraddress'),
  };
}

/** Node's base64 decoder accepts both alphabets with and without padding, and clients use all four. */
function decode(header: string): unknown {
  try {
    return JSON.parse(Buffer.from(header, 'base64').toString('utf8'));
  } catch (error) {
    throw invalid('invalid X-Registry-Auth header: it must be base64url of a JSON document', error);
  }
}
