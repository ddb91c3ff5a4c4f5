import { messageOf } from './sentence.ts';

export interface DryRunResult {
  warnings: string[];
  /** Why the engine refuses it. */
  refusal: string | undefined;
}

/** What the engine says to a change that is only asked for. */
export async function foresee(
  dryRun: () => Promise<{ warnings: string[] }>,
): Promise<DryRunResult> {
  try {
    const { warnings } = await dryRun();
    return { warnings, refusal: undefined };
  } catch (error) {
    return { warnings: [], refusal: messageOf(error) };
  }
}
