/** Where a registry is: mirrors, HTTPS, and for whom plain HTTP is allowed. */
import { invalid } from '../../errors.ts';

export interface Endpoint {
  base: URL;
  /** Certificates are not checked. */
  insecure: boolean;
  /** A mirror is never sent the user's credentials for the registry that it mirrors. */
  mirror: boolean;
}

export interface RegistryOptions {
  /** Addresses of mirrors of docker.io, tried in order before it. */
  registryMirrors: string[];
  /** Domains, with port, that may speak plain HTTP or have any certificate. */
  insecureRegistries: string[];
}

const hubDomain = 'docker.io';
const hubHost = 'registry-1.docker.io';

/** In the order in which they are tried. */
export function endpointsOf(domain: string, options: RegistryOptions): Endpoint[] {
  const mirrors = domain === hubDomain ? options.registryMirrors.map(mirrorOf) : [];
  return [...mirrors, ...ownEndpoints(domain, options)];
}

function ownEndpoints(domain: string, options: RegistryOptions): Endpoint[] {
  const host = domain === hubDomain ? hubHost : domain;
  const insecure = options.insecureRegistries.includes(domain) || isLoopback(host);
  const base = (scheme: string) => new URL(`${scheme}://${host}/`);
  const secure: Endpoint = { base: base('https'), insecure, mirror: false };
  // As dockerd: HTTPS first, with any certificate, then HTTP.
  return insecure ? [secure, { base: base('http'), insecure, mirror: false }] : [secure];
}

function mirrorOf(address: string): Endpoint {
  const base = URL.parse(address.endsWith('/') ? address : `${address}/`);
  if (base === null || !/^https?:$/.test(base.protocol))
    throw invalid(`registry mirror ${JSON.stringify(address)} is not an http or https address`);
  return { base, insecure: isLoopback(base.host), mirror: true };
}

/** 127.0.0.0/8, ::1 and localhost, with or without a port. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, '');
  return (
    name === 'localhost' || /^127(\.\d{1,3}){3}$/.test(name) || name === '[::1]' || name === '::1'
  );
}

/** The domain of images that a login's server address is meant for. */
export function domainOfServer(address: string | undefined): string {
  const host = (address ?? '').replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return host === '' || host === 'index.docker.io' || host === hubHost ? hubDomain : host;
}
