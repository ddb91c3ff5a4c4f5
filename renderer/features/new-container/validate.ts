/** What is wrong with a form, field by field, before the engine is asked. */
import { minDiskBytes } from '../../../agent/contract/limits.ts';
import type { Sentence } from '../../stores/sentence.ts';
import type { Form, PortRow, RootChoice } from './form.ts';

/** Field, or `ports.<key>`, `mounts.<key>`, `env.<key>` for one row. */
export type Problems = Record<string, Sentence>;

/** Docker's own rules and floors (moby, daemon/names and daemon_unix.go verifyPlatformContainerResources). */
const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
export const memoryFloorBytes = 6 * 1024 ** 2;

export interface Surroundings {
  takenNames: ReadonlySet<string>;
  /** `tcp/8080` of running containers -> their name. */
  takenPorts: ReadonlyMap<string, string>;
  cpus: number | undefined;
  /** What a container gets that says nothing. */
  root: RootChoice;
}

export function validate(form: Form, around: Surroundings): Problems {
  const problems: Problems = {};
  if (form.image.trim() === '') problems.image = { id: 'new.problem.image' };
  else if (/\s|[A-Z](?=[^:@]*\/)/.test(form.image.trim()))
    problems.image = { id: 'new.problem.imageName' };
  if (form.name !== '' && !namePattern.test(form.name)) problems.name = { id: 'new.problem.name' };
  else if (around.takenNames.has(form.name))
    problems.name = { id: 'new.problem.nameTaken', values: { name: form.name } };
  if (form.memoryBytes !== undefined && form.memoryBytes < memoryFloorBytes)
    problems.memory = { id: 'new.problem.memory' };
  if (form.diskBytes !== undefined && form.diskBytes !== 0 && form.diskBytes < minDiskBytes)
    problems.disk = { id: 'limits.spaceFloor' };
  if ((form.root ?? around.root) === 'own') {
    if (form.network === 'host') problems.root = { id: 'new.problem.rootNetwork' };
    else if (form.privileged) problems.root = { id: 'new.problem.rootPrivileged' };
  }
  if (form.cpus !== undefined && around.cpus !== undefined && form.cpus > around.cpus)
    problems.cpus = { id: 'new.problem.cpus', values: { cpus: around.cpus } };
  if (form.restart !== 'no' && form.autoRemove) problems.restart = { id: 'new.problem.restart' };
  for (const row of form.ports) {
    const problem = portProblem(row, form, around);
    if (problem) problems[`ports.${row.key}`] = problem;
  }
  for (const row of form.mounts) {
    if (!row.target.startsWith('/'))
      problems[`mounts.${row.key}`] = { id: 'new.problem.mountTarget' };
    else if (row.source !== '' && !/^\/|^[a-zA-Z0-9][\w.-]+$/.test(row.source))
      problems[`mounts.${row.key}`] = { id: 'new.problem.mountSource' };
  }
  for (const row of form.env)
    if (row.name.includes('=') || (row.name === '' && row.value !== ''))
      problems[`env.${row.key}`] = { id: 'new.problem.env' };
  return problems;
}

function portProblem(row: PortRow, form: Form, around: Surroundings): Sentence | undefined {
  const hostPort = row.host.slice(row.host.lastIndexOf(':') + 1);
  if (!isPort(row.container)) return { id: 'new.problem.port' };
  if (hostPort !== '' && !isPort(hostPort)) return { id: 'new.problem.port' };
  if (form.network === 'host' || form.network === 'none') return { id: 'new.problem.portNetwork' };
  const twice = form.ports.some(
    (other) =>
      other !== row &&
      hostPort !== '' &&
      other.host === row.host &&
      other.protocol === row.protocol,
  );
  if (twice) return { id: 'new.problem.portTwice', values: { port: hostPort } };
  const owner = around.takenPorts.get(`${row.protocol}/${hostPort}`);
  if (!owner) return undefined;
  return { id: 'new.problem.portTaken', values: { port: hostPort, name: owner } };
}

/** A port, or a range of them as Docker writes it: `8000-8010`. */
function isPort(text: string): boolean {
  if (!/^\d+(-\d+)?$/.test(text)) return false;
  return text.split('-').every((part) => Number(part) >= 1 && Number(part) <= 65_535);
}
