/**
 * Image references by the grammar of the distribution project (github.com/distribution/reference, regexp.go and
 * normalize.go): `[domain[:port]/]path[:tag][@digest]`. A name without a domain belongs to docker.io, and one without
 * a slash to its `library/`.
 */
import { type CortenError, invalid } from '../errors.ts';

export interface Reference {
  /** Domain with port, such as `docker.io` or `localhost:5000`. */
  domain: string;
  /** Path such as `library/alpine`. */
  path: string;
  tag?: string;
  digest?: string;
}

const hubDomain = 'docker.io';
const maxNameLength = 255;

const domainComponent = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const domainPattern = new RegExp(
  `^(?:${domainComponent}(?:\\.${domainComponent})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`,
);
const pathComponent = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const pathPattern = new RegExp(`^${pathComponent}(?:/${pathComponent})*$`);
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): boolean {
  return digestPattern.test(text);
}

/** Parses strictly. Throws invalid with dockerd's messages. */
export function parseReference(text: string): Reference {
  if (/^[0-9a-f]{64}$/.test(text))
    throw invalid(
      `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings as a name`,
    );
  const [beforeDigest, digest] = cut(text, '@');
  if (digest !== undefined && !isDigest(digest))
    throw badFormat(text, 'the digest is not sha256:…');
  const [name, tag] = cutTag(beforeDigest);
  if (tag !== undefined && !tagPattern.test(tag)) throw badFormat(text, 'the tag is not valid');
  const { domain, path } = splitDomain(name);
  if (path !== path.toLowerCase())
    throw invalid(`invalid reference format: repository name (${path}) must be lowercase`);
  if (!domainPattern.test(domain) || !pathPattern.test(path)) throw badFormat(text);
  if (domain.length + 1 + path.length > maxNameLength)
    throw invalid(
      `invalid reference format: repository name is longer than ${maxNameLength} characters`,
    );
  return {
    domain,
    path,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  };
}

/** Parses a reference to one image: without tag and digest it gets `latest`. */
export function parseTagged(text: string): Reference {
  const reference = parseReference(text);
  if (reference.tag !== undefined || reference.digest !== undefined) return reference;
  return { ...reference, tag: 'latest' };
}

/** Full name such as `docker.io/library/alpine`. */
export function fullName(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/**
 * Full name with tag such as `docker.io/library/alpine:latest`, which is the key in the store. The reference must
 * have a tag.
 */
export function fullTag(reference: Reference): string {
  return `${fullName(reference)}:${reference.tag}`;
}

/** Familiar form of a full name, tagged name or digested name, as docker shows it. */
export function familiar(fullText: string): string {
  const library = `${hubDomain}/library/`;
  // `a/b` would mean another repository than `docker.io/library/a/b`, which therefore stays in full.
  if (fullText.startsWith(library)) return fullText.slice(library.length);
  return fullText.startsWith(`${hubDomain}/`) ? fullText.slice(hubDomain.length + 1) : fullText;
}

/** Familiar form with tag or digest, such as `alpine:3.20` or `alpine@sha256:…`. */
export function familiarString(reference: Reference): string {
  const suffix =
    (reference.tag === undefined ? '' : `:${reference.tag}`) +
    (reference.digest === undefined ? '' : `@${reference.digest}`);
  return familiar(fullName(reference)) + suffix;
}

function splitDomain(name: string): { domain: string; path: string } {
  const [first, rest] = cut(name, '/');
  const isDomain =
    rest !== undefined && (/[.:]/.test(first) || first === 'localhost' || /[A-Z]/.test(first));
  const domain = isDomain ? first : hubDomain;
  const path = isDomain ? rest : name;
  if (domain === hubDomain || domain === 'index.docker.io')
    return { domain: hubDomain, path: path.includes('/') ? path : `library/${path}` };
  return { domain, path };
}

/** A colon after the last slash begins the tag; an earlier one belongs to the port. */
function cutTag(text: string): [string, string | undefined] {
  const colon = text.indexOf(':', text.lastIndexOf('/') + 1);
  return colon === -1 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1)];
}

function cut(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function badFormat(text: string, why?: string): CortenError {
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return invalid(
    `invalid reference format${why === undefined ? '' : `: ${why}`} (${JSON.stringify(shown)})`,
  );
}
