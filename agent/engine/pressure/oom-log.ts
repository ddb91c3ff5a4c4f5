/**
 * Whom the kernel killed for memory, from its log. One kill is two lines (mm/oom_kill.c): the first
 * names the control group and the process, the second what it had. With memory.oom.group the other
 * processes of the group follow, with the second line only. The lines' times are of a clock that
 * drifts away from every other (printk's), so order alone is used.
 */
import type { BlamedProcess } from '../../contract/pressure.ts';
import type { KernelRecord } from '../../kernel/kernel-log.ts';

export interface OomKill {
  /** The process's memory group, such as `/corten-1a2b3/<container id>`. */
  group: string;
  /** A group's limit was reached, or the whole machine's memory. */
  cause: 'limit' | 'machine';
  process: BlamedProcess;
}

/** `task` is what the process calls itself, commas and all: what surrounds it is matched first. */
const chosenLine =
  /^oom-kill:constraint=([A-Z_]+),.*,task_memcg=([^,]*),task=(.*),pid=(\d+),uid=\d+$/;
const killedLine =
  /^(?:Memory cgroup out of memory|Out of memory[^:]*): Killed process (\d+) \((.*)\) total-vm:\d+kB, anon-rss:(\d+)kB, file-rss:(\d+)kB, shmem-rss:(\d+)kB/;
const wholeGroupLine = /^Tasks in (.*) are going to be killed due to memory\.oom\.group set$/;

const mostKept = 256;

export class OomLog {
  #kills: OomKill[] = [];
  /** Said by the first line, until the second comes. */
  #chosen: OomKill | undefined;
  /** The group whose other processes follow. */
  #wholeGroup: Pick<OomKill, 'group' | 'cause'> | undefined;

  add({ fromKernel, text }: KernelRecord): void {
    if (!fromKernel) return;
    const chosen = chosenLine.exec(text);
    if (chosen !== null) {
      const [, constraint, group = '', name = '', pid] = chosen;
      const cause = constraint === 'CONSTRAINT_MEMCG' ? 'limit' : 'machine';
      this.#chosen = { group, cause, process: { name, pid: Number(pid), memoryBytes: 0 } };
      this.#wholeGroup = undefined;
      return;
    }
    const group = wholeGroupLine.exec(text)?.[1];
    if (group !== undefined)
      this.#wholeGroup = { group, cause: this.#kills.at(-1)?.cause ?? 'limit' };
    const killed = killedLine.exec(text);
    if (killed !== null) this.#killed(killed);
  }

  /**
   * Takes out the newest kills of a container's group, and of groups inside it, oldest first. Those
   * before them are of an earlier life of the container, and are forgotten.
   */
  take(containerId: string, most: number): OomKill[] {
    const own = this.#kills.filter(({ group }) => isIn(group, containerId));
    if (own.length > 0) this.#kills = this.#kills.filter((kill) => !own.includes(kill));
    return own.slice(-most);
  }

  #killed([, pid, name = '', ...kilobytes]: RegExpExecArray): void {
    const memoryBytes = kilobytes.reduce((sum, value) => sum + Number(value), 0) * 1024;
    const process = { name, pid: Number(pid), memoryBytes };
    const known = this.#chosen?.process.pid === process.pid ? this.#chosen : this.#wholeGroup;
    if (known === undefined) return;
    this.#chosen = undefined;
    this.#kills.push({ group: known.group, cause: known.cause, process });
    if (this.#kills.length > mostKept) this.#kills.shift();
  }
}

/** A container's group bears its full id, which nothing else does. */
function isIn(group: string, containerId: string): boolean {
  return group.split('/').includes(containerId);
}
