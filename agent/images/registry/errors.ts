/** Errors of registries, with dockerd's messages where it has some (distribution/errors.go). */
import { CortenError, notFound } from '../../errors.ts';
import { isObject } from '../descriptor.ts';
import { familiar } from '../reference.ts';

export interface RegistryProblem {
  code: string;
  message: string;
}

/** Parses the body of an error (OCI distribution-spec, "Error Codes"). */
export function problemOf(body: Buffer, status: number): RegistryProblem {
  try {
    const document: unknown = JSON.parse(body.toString('utf8'));
    const errors = isObject(document) && Array.isArray(document.errors) ? document.errors : [];
    const first: unknown = errors[0];
    if (isObject(first))
      return { code: String(first.code ?? ''), message: String(first.message ?? '').slice(0, 500) };
  } catch {
    // A proxy may answer without JSON; the status then is all there is.
  }
  return { code: '', message: `HTTP status ${status}` };
}

/** Formats a registry's error as dockerd does: `manifest unknown: manifest unknown`. */
function worded({ code, message }: RegistryProblem): string {
  const words = code.toLowerCase().replaceAll('_', ' ');
  return words === '' ? message : `${words}: ${message}`;
}

export function refused(
  status: number,
  problem: RegistryProblem,
  repository: string,
  reference: string,
): CortenError {
  const name = familiar(repository);
  const denied = `pull access denied for ${name}, repository does not exist or may require 'docker login'`;
  if (status === 401) {
    const why = problem.code === '' ? 'authentication required' : worded(problem);
    // The status is not 401, on which the CLI would ask for a password and which dockerd does not use for a pull.
    return notFound(`${denied}: ${why}`);
  }
  if (status === 403 || problem.code === 'DENIED') return notFound(`${denied}: ${worded(problem)}`);
  if (problem.code === 'NAME_UNKNOWN') return notFound(`${denied}: ${worded(problem)}`);
  if (status === 404) {
    const separator = reference.startsWith('sha256:') ? '@' : ':';
    const unknown = problem.code === '' ? 'manifest unknown: manifest unknown' : worded(problem);
    return notFound(`manifest for ${name}${separator}${reference} not found: ${unknown}`);
  }
  if (status === 429)
    return new CortenError(
      'unavailable',
      `the registry's rate limit is reached: ${worded(problem)}; log in or try again later`,
    );
  return new CortenError(
    'unavailable',
    `the registry answered ${status} for ${name}: ${worded(problem)}`,
  );
}

/** Error of a registry that cannot be reached. */
export function unreachable(url: URL, error: unknown): CortenError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const detail = error instanceof Error ? error.message : String(error);
  return new CortenError(
    'unavailable',
    `cannot reach the registry at ${url.origin}: ${causeOf(code, url, detail)}`,
    {
      cause: error,
    },
  );
}

function causeOf(code: string, url: URL, detail: string): string {
  switch (code) {
    case 'ECONNREFUSED':
      return `connection refused: nothing listens there; check that the registry runs and that port ${url.port || (url.protocol === 'https:' ? 443 : 80)} is right`;
    case 'ENOTFOUND':
      return `no such host ${url.hostname}; check the name and this machine's DNS`;
    case 'EAI_AGAIN':
      return `the name ${url.hostname} cannot be looked up just now; check this machine's network`;
    case 'ETIMEDOUT':
      return `${detail}; check this machine's network and proxy`;
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'CERT_HAS_EXPIRED':
      return `its certificate is not trusted (${detail}); add its authority to this machine's certificates, or name the registry as insecure`;
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return `it does not speak HTTPS (${detail}); name the registry as insecure if that is meant`;
    default:
      return detail;
  }
}
