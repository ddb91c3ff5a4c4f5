/** Translates LogConfig to the driver's name and the limits of the framed log. */
import type { ContainerSettings } from '../../contract/container.ts';
import { defaultLog, type LogLimits } from '../../contract/limits.ts';
import { invalid } from '../../errors.ts';
import { parseBytes } from '../byte-size.ts';
import type { Fields } from '../fields.ts';

/** Drivers that keep logs on this machine; the framed log serves all of them. */
const logDrivers = ['json-file', 'local', 'journald', 'none'];

export interface ReadLog {
  log: ContainerSettings['log'];
  /** Limits of the log; `undefined` when the container keeps none. */
  limits: LogLimits | undefined;
}

export function readLog(host: Fields): ReadLog {
  const config = host.objectOrEmpty('LogConfig');
  const driver = config.filled('Type') ?? 'json-file';
  if (!logDrivers.includes(driver))
    throw invalid(
      `error looking up logging plugin ${driver}: plugin "${driver}" not found; use one of ${logDrivers.join(', ')}`,
    );
  const log = { driver, options: config.textMap('Config') };
  return { log, limits: driver === 'none' ? undefined : logLimitsOf(log.options) };
}

/**
 * Reads `max-size` and `max-file` as Docker's drivers do: a size alone keeps one file, and -1 means not limited.
 * Without either, Corten's defaults apply, where Docker's log would grow without limit.
 */
export function logLimitsOf(options: Record<string, string>): LogLimits {
  const size = options['max-size'];
  const count = options['max-file'];
  return {
    maxBytes:
      size === undefined ? defaultLog.maxBytes : size.trim() === '-1' ? null : positive(size),
    maxFiles: count !== undefined ? fileCount(count) : size === undefined ? defaultLog.maxFiles : 1,
  };
}

function positive(text: string): number {
  const bytes = parseBytes(text);
  if (bytes < 1) throw invalid(`max-size must be positive, not '${text}'`);
  return bytes;
}

function fileCount(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text.trim()))
    throw invalid(`max-file must be a whole number of at least 1, not '${text}'`);
  return Number(text);
}

/** The requested options with later changes applied. */
export function logOptionsNow(
  options: Record<string, string>,
  limits: LogLimits | undefined,
): Record<string, string> {
  if (limits === undefined) return options;
  const asked = logLimitsOf(options);
  return {
    ...options,
    ...(limits.maxBytes !== asked.maxBytes && { 'max-size': String(limits.maxBytes ?? -1) }),
    ...(limits.maxFiles !== asked.maxFiles &&
      limits.maxFiles != null && { 'max-file': String(limits.maxFiles) }),
  };
}
