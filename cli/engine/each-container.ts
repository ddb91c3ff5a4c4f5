import { CommandFailure } from '../failure.ts';
import type { Session } from '../session.ts';
import type { Engine } from './engine.ts';
import { EngineRefusal } from './engine.ts';

/**
 * Does the same to several containers and prints the name of each when it is done. One that is refused is
 * told, the others go on, and the command ends with 1. `work` has the name as a path of a URL takes it.
 */
export async function eachContainer(
  session: Session,
  names: readonly string[],
  work: (engine: Engine, name: string) => Promise<unknown>,
): Promise<void> {
  const engine = await session.engine();
  for (const name of names)
    try {
      await work(engine, encodeURIComponent(name));
      session.print(name);
    } catch (error) {
      if (!(error instanceof EngineRefusal)) throw error;
      session.remark(`corten: ${error.message}`);
      session.exitCode = 1;
    }
}

/** The same refusal with what to do about a name that does not exist. */
export function withNextStep(error: unknown, exitCode: number): unknown {
  if (!(error instanceof EngineRefusal)) return error;
  const advice = error.status === 404 ? 'See all names with `corten ps --all`.' : '';
  return new CommandFailure(error.message, advice, exitCode);
}
