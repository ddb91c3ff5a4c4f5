/** Endpoints of a registry: mirrors, HTTPS, and plain HTTP where that is allowed. */
import { invalid } from '../../errors.ts';

export interface Endpoint {
  base: URL;
  /** Whether certificates are left unchecked. */
  insecure: boolean;
  /** Whether it is a mirror, which never gets the credentials for the registry that it mirrors. */
  mirror: boolean;
}

export interface RegistryOptions {
  /** Addresses of mirrors of docker.io, tried in order before it. */
  registryMirrors: string[];
  /** Domains with port that may use plain HTTP or any certificate. */
  insecureRegistries: string[];
}

const hubDomain = 'docker.io';
const hubHost = 'registry-1.docker.io';

/** Endpoints in the order in which they are tried. Throws invalid for a mirror's address that is no URL. */
export function endpointsOf(domain: string, options: RegistryOptions): Endpoint[] {
  const mirrors = domain === hubDomain ? options.registryMirrors.map(mirrorOf) : [];
  return [...mirrors, ...ownEndpoints(domain, options)];
}

function ownEndpoints(domain: string, options: RegistryOptions): Endpoint[] {
  const host = domain === hubDomain ? hubHost : domain;
  const insecure = options.insecureRegistries.includes(domain) || isLoopback(host);
  const base = (scheme: string) => new URL(`${scheme}://${host}/`);
  const secure: Endpoint = { base: base('https'), insecure, mirror: false };
  // As dockerd does, HTTPS is tried first, with any certificate, then HTTP.
  return insecure ? [secure, { base: base('http'), insecure, mirror: false }] : [secure];
}

function mirrorOf(address: string): Endpoint {
  const base = URL.parse(address.endsWith('/') ? address : `${address}/`);
  if (base === null || !/^https?:$/.test(base.protocol))
    throw invalid(`registry mirror ${JSON.stringify(address)} is not an http or https address`);
  return { base, insecure: isLoopback(base.host), mirror: true };
}

/** Whether the host is 127.0.0.0/8, ::1 or localhost, with or without a port. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, '');
  return (
    name === 'localhost' || /^127(\.\d{1,3}){3}$/.test(name) || name === '[::1]' || name === '::1'
  );
}

/** Domain of images that the server address of a login means. */
export function domainOfServer(address: string | undefined): string {
  const host = (address ?? '').replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return host === '' || host === 'index.docker.io' || host === hubHost ? hubDomain : host;
}
