/** Reads the image configuration from the container configuration in the body of `POST /commit`. */

import type { ImageConfig } from '../../contract/image.ts';
import type { Fields } from '../fields.ts';

/** Returns `undefined` for an empty document. */
export function commitConfig(body: Fields): ImageConfig | undefined {
  const config: ImageConfig = {
    User: body.filled('User'),
    ExposedPorts: keysOf(body.object('ExposedPorts')),
    Env: body.texts('Env'),
    Entrypoint: body.words('Entrypoint'),
    Cmd: body.words('Cmd'),
    Volumes: keysOf(body.object('Volumes')),
    WorkingDir: body.filled('WorkingDir'),
    Labels: body.has('Labels') ? body.textMap('Labels') : undefined,
    StopSignal: body.filled('StopSignal'),
    Healthcheck: healthOf(body.object('Healthcheck')),
    Shell: body.words('Shell'),
    OnBuild: body.texts('OnBuild'),
  };
  const said = Object.entries(config).filter(([, value]) => value !== undefined);
  return said.length === 0 ? undefined : Object.fromEntries(said);
}

function keysOf(fields: Fields | undefined): Record<string, Record<string, never>> | undefined {
  return fields && Object.fromEntries(fields.keys().map((name) => [name, {}]));
}

function healthOf(fields: Fields | undefined): ImageConfig['Healthcheck'] {
  if (fields === undefined) return undefined;
  const check = {
    Test: fields.texts('Test'),
    Interval: fields.integer('Interval'),
    Timeout: fields.integer('Timeout'),
    StartPeriod: fields.integer('StartPeriod'),
    StartInterval: fields.integer('StartInterval'),
    Retries: fields.integer('Retries'),
  };
  return Object.fromEntries(Object.entries(check).filter(([, value]) => value !== undefined));
}
