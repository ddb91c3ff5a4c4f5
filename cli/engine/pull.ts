/** Pulls one image, with its progress on the error output. */

import { CommandFailure, ownFailureCode } from '../failure.ts';
import type { Session } from '../session.ts';
import type { Engine } from './engine.ts';

interface Progress {
  id?: string;
  status?: string;
  error?: string;
}

export async function pull(session: Session, engine: Engine, image: string): Promise<void> {
  session.remark(`Pulling ${image}`);
  const query = new URLSearchParams({ fromImage: withTag(image) });
  let rest = '';
  for await (const piece of engine.stream('POST', `/images/create?${query}`)) {
    const lines = (rest + piece.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.filter((text) => text.trim() !== ''))
      tell(session, image, JSON.parse(line));
  }
}

function tell(session: Session, image: string, { id, status, error }: Progress): void {
  if (error !== undefined)
    throw new CommandFailure(
      `${image} could not be pulled: ${error}.`,
      'Check the name and the network.',
      ownFailureCode,
    );
  if (id !== undefined && status === 'Pull complete') session.remark(`${id}: pulled`);
}

/** The API takes a name without a tag as a request for every tag. */
function withTag(image: string): string {
  const last = image.slice(image.lastIndexOf('/') + 1);
  return last.includes(':') || last.includes('@') ? image : `${image}:latest`;
}
