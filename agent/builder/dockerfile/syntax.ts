/** Which front end a Dockerfile asks for (`# syntax=`): every version of Docker's own is this one. */
import { findDirective } from '../../dockerfile/directives.ts';
import { SourceError } from '../../dockerfile/source.ts';
import { CortenError } from '../../errors.ts';
import { fullName, parseReference } from '../../images/reference.ts';
import type { BuildOptions } from './options.ts';

const ours = ['docker.io/docker/dockerfile', 'docker.io/docker/dockerfile-upstream'];

/** Throws not-implemented, naming the front end that is asked for. */
export function checkSyntax(text: string, { buildArgs }: BuildOptions): void {
  const given = buildArgs.get('BUILDKIT_SYNTAX');
  if (given !== undefined) {
    const wanted = nameOf(given);
    if (!isOurs(wanted))
      throw new CortenError('not-implemented', `${refusal(wanted)}: leave BUILDKIT_SYNTAX out`);
    return;
  }
  const directive = findDirective(text, 'syntax');
  if (directive === undefined) return;
  const wanted = nameOf(directive.value);
  if (isOurs(wanted)) return;
  const place = { line: directive.line, column: 0 };
  throw new SourceError(
    `${refusal(wanted)}: take the line # syntax=${wanted} away if the file is a Dockerfile`,
    { start: place, end: place },
    { kind: 'not-implemented' },
  );
}

/** Options may follow the name. */
const nameOf = (value: string): string => value.trim().split(/\s/, 1)[0]!;

function isOurs(name: string): boolean {
  try {
    return ours.includes(fullName(parseReference(name)));
  } catch {
    return false;
  }
}

const refusal = (name: string): string =>
  `the front end ${name} cannot be run here, only docker/dockerfile, which is built in`;
