/**
 * Which processes the kernel killed for memory, read from its log (kmsg(4)). One kill is two lines (mm/oom_kill.c): the first
 * names the control group and the process, the second what it had. With memory.oom.group all
 * processes of the group follow, with the second line only, and the chosen one mostly among them once
 * more. The lines' times are of a clock that drifts away from every other (printk's), so order alone
 * is used.
 */
import type { KilledProcess } from '../../contract/pressure.ts';
import type { KernelRecord } from '../../kernel/kernel-log.ts';

export interface OomKill {
  /** The process's memory group, such as `/corten-1a2b3/<container id>`. */
  group: string;
  /** A group's limit was reached, or the whole machine's memory. */
  cause: 'limit' | 'machine';
  process: KilledProcess;
}

/** `task` is what the process calls itself, commas and all: what surrounds it is matched first. */
const chosenLine =
  /^oom-kill:constraint=([A-Z_]+),.*,task_memcg=([^,]*),task=(.*),pid=(\d+),uid=\d+$/;
const killedLine =
  /^(?:Memory cgroup out of memory|Out of memory[^:]*): Killed process (\d+) \((.*)\) total-vm:\d+kB, anon-rss:(\d+)kB, file-rss:(\d+)kB, shmem-rss:(\d+)kB/;
const wholeGroupLine = /^Tasks in (.*) are going to be killed due to memory\.oom\.group set$/;

const mostKept = 256;

export class KernelOomRecords {
  #kills: (OomKill & { choice: number })[] = [];
  /** Counts the first lines: what follows from one of them belongs together. */
  #choice = 0;
  /** Said by the first line, until the second comes. */
  #chosen: OomKill | undefined;
  /** The group whose processes follow, and the one of them that has been told. */
  #wholeGroup: (Pick<OomKill, 'group' | 'cause'> & { toldPid: number | undefined }) | undefined;

  add({ fromKernel, text }: KernelRecord): void {
    if (!fromKernel) return;
    const chosen = chosenLine.exec(text);
    if (chosen !== null) {
      const [, constraint, group = '', name = '', pid] = chosen;
      const cause = constraint === 'CONSTRAINT_MEMCG' ? 'limit' : 'machine';
      this.#chosen = { group, cause, process: { name, pid: Number(pid), memoryBytes: 0 } };
      this.#wholeGroup = undefined;
      this.#choice++;
      return;
    }
    const group = wholeGroupLine.exec(text)?.[1];
    if (group !== undefined) {
      const last = this.#kills.at(-1);
      this.#wholeGroup = { group, cause: last?.cause ?? 'limit', toldPid: last?.process.pid };
    }
    const killed = killedLine.exec(text);
    if (killed !== null) this.#killed(killed);
  }

  /**
   * Takes out the newest kills of a container's group, and of groups inside it, oldest first; of a
   * group that was killed whole all, since the count may be one short. Those before them are of an
   * earlier life of the container, and are forgotten.
   */
  take(containerId: string, most: number): OomKill[] {
    const own = this.#kills.filter(({ group }) => isIn(group, containerId));
    if (own.length > 0) this.#kills = this.#kills.filter((kill) => !own.includes(kill));
    const oldest = own.at(-most)?.choice ?? 0;
    return own.filter(({ choice }) => choice >= oldest).map(({ choice: _, ...kill }) => kill);
  }

  #killed([, pid, name = '', ...kilobytes]: RegExpExecArray): void {
    const memoryBytes = kilobytes.reduce((sum, value) => sum + Number(value), 0) * 1024;
    const process = { name, pid: Number(pid), memoryBytes };
    const known = this.#chosen?.process.pid === process.pid ? this.#chosen : this.#wholeGroup;
    if (known === undefined || this.#wholeGroup?.toldPid === process.pid) return;
    this.#chosen = undefined;
    const { group, cause } = known;
    this.#kills.push({ group, cause, process, choice: this.#choice });
    if (this.#kills.length > mostKept) this.#kills.shift();
  }
}

/** A container's group bears its full id, which nothing else does. */
function isIn(group: string, containerId: string): boolean {
  return group.split('/').includes(containerId);
}
