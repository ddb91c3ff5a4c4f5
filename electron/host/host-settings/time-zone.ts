/** Sends this computer's time zone, by its IANA name, to the machine at the start and after each change. */
import { realpathSync } from 'node:fs';
import type { CompanionContext } from '../machine/machine.ts';
import { type Poll, pollWhileRunning } from './poll-while-running.ts';

/** Sets the zone of a machine. A machine without one keeps the zone of its start. */
export interface TimeZoneSetter {
  setTimeZone(zone: string): Promise<void>;
}

export interface TimeZoneOptions extends Pick<CompanionContext, 'onPauseChange' | 'report'> {
  setter: TimeZoneSetter;
  read?: () => string;
  everyMs?: number;
}

/** A link to the zone's file, on Linux (localtime(5)) and macOS alike. */
const localTimePath = '/etc/localtime';

/** The zone's IANA name. The link is read first, because Node caches the zone and would miss a change. */
export function systemTimeZone(environment: NodeJS.ProcessEnv = process.env): string {
  const { TZ } = environment;
  if (TZ && isZone(TZ)) return TZ;
  const linked = zoneOfPath(realPath(localTimePath));
  return linked ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** The zone of a path such as `/usr/share/zoneinfo/Europe/Berlin`; macOS has its zones below /var/db. */
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
      // The next poll tries again, since the machine may be unreachable for a moment.
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
    // Windows has no such link, and a Linux host without one has UTC.
    return undefined;
  }
}
