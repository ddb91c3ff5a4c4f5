/** Resource limits of one process (proc_pid_limits(5), getrlimit(2)). */

export interface ResourceLimit {
  /** As the kernel says it: `Max open files`. */
  name: string;
  /** A number, or `unlimited`. */
  soft: string;
  hard: string;
  /** `bytes`, `files`, `processes`; empty for a bare number. */
  unit: string;
}

/** `/proc/<pid>/limits`: a heading, then columns that are at least two blanks apart. */
export function parseLimits(text: string): ResourceLimit[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => /^(\S.*?)\s{2,}(\S+)\s+(\S+)\s*(\S*)\s*$/.exec(line))
    .filter((match) => match !== null)
    .map(([, name = '', soft = '', hard = '', unit = '']) => ({ name, soft, hard, unit }));
}
