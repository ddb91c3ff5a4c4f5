/** This computer's time zone, by its IANA name, told to the machine now and whenever it changes. */
import { realpathSync } from 'node:fs';
import type { CompanionContext } from '../machine/machine.ts';
import { type Poll, pollWhileRunning } from './poll-while-running.ts';

/** Of whoever can set the zone of a machine; where nobody can, the zone of its start stays. */
export interface TimeZoneSetter {
  setTimeZone(zone: string): Promise<void>;
}

export interface TimeZoneOptions extends Pick<CompanionContext, 'onPauseChange' | 'report'> {
  setter: TimeZoneSetter;
  read?: () => string;
  everyMs?: number;
}

/** tzfile(5): /etc/localtime is a link into the zones, on Linux and macOS alike. */
const localTimePath = '/etc/localtime';

/** Node asks the system once and keeps the answer, so the link is read where there is one. */
export function systemTimeZone(environment: NodeJS.ProcessEnv = process.env): string {
  const { TZ } = environment;
  if (TZ && isZone(TZ)) return TZ;
  const linked = zoneOfPath(realPath(localTimePath));
  return linked ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** `/usr/share/zoneinfo/Europe/Berlin` and `/var/db/timezone/zoneinfo/Europe/Berlin`. */
export function zoneOfPath(path: string | undefined): string | undefined {
  const name = /\/zoneinfo(?:\.default)?\/(?:posix\/|right\/)?(.+)$/.exec(path ?? '')?.[1];
  return name !== undefined && isZone(name) ? name : undefined;
}

export function watchTimeZone(options: TimeZoneOptions): Pick<Poll, 'close'> {
  const { setter, read = systemTimeZone, report, everyMs = 30_000 } = options;
  let told: string | undefined;
  return pollWhileRunning(options, everyMs, async () => {
    const zone = read();
    if (zone === told) return;
    try {
      await setter.setTimeZone(zone);
      told = zone;
    } catch (error) {
      // Tried again at the next look: the machine may be away for a moment.
      report('time zone', error);
    }
  });
}

function isZone(name: string): boolean {
  try {
    Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    // Windows has none, and a Linux host without one has UTC.
    return undefined;
  }
}
