/** Parses resource limits of a process (proc_pid_limits(5), getrlimit(2)). */

export interface ResourceLimit {
  /** Name in the kernel's words, such as `Max open files`. */
  name: string;
  /** A number or `unlimited`. */
  soft: string;
  hard: string;
  /** Unit such as `bytes`, `files` or `processes`; empty for a plain number. */
  unit: string;
}

/** Parses `/proc/<pid>/limits`: a heading, then columns separated by at least two spaces. */
export function parseLimits(text: string): ResourceLimit[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => /^(\S.*?)\s{2,}(\S+)\s+(\S+)\s*(\S*)\s*$/.exec(line))
    .filter((match) => match !== null)
    .map(([, name = '', soft = '', hard = '', unit = '']) => ({ name, soft, hard, unit }));
}
