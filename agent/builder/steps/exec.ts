/** Runs the process of an exec operation (BuildKit's solver/llbsolver/ops/exec.go): what a RUN instruction becomes. */
import { isIP } from 'node:net';
import { CortenError, invalid } from '../../errors.ts';
import { type ExecOp, type Meta, NetMode, type ProxyEnv, SecurityMode } from '../llb/ops.ts';
import { StepFailure } from '../solver/solver.ts';
import { ExecMounts } from './exec-mounts.ts';
import type { Step, StepContext, StepOutputs } from './step.ts';
import type { StepRequest, StepResult } from './step-runner.ts';

export const exec: Step = async (context) => {
  const { op } = context.op;
  if (op.case !== 'exec') throw invalid(`an exec operation was expected, not ${op.case}`);
  const { meta } = op.value;
  if (meta === undefined || meta.args.length === 0) throw invalid('the operation has no command');
  requireEntitlements(context, op.value);
  const mounts = await ExecMounts.open(context, op.value.mounts, meta.cwd);
  try {
    const request = await requestOf(context, op.value, meta, mounts);
    await run(context, meta, request);
    return (await mounts.commit()) satisfies StepOutputs;
  } finally {
    await mounts.close();
  }
};

function requireEntitlements({ job }: StepContext, { network, security }: ExecOp): void {
  const wanted = [
    ...(network === NetMode.HOST ? ['network.host'] : []),
    ...(security === SecurityMode.INSECURE ? ['security.insecure'] : []),
  ];
  for (const entitlement of wanted)
    if (!job.entitlements.has(entitlement))
      throw new CortenError('forbidden', `${entitlement} is not allowed`);
}

async function requestOf(
  context: StepContext,
  op: ExecOp,
  meta: Meta,
  { rootfs, isRootReadOnly, mounts }: ExecMounts,
): Promise<StepRequest> {
  return {
    rootfs,
    isRootReadOnly,
    process: {
      args: meta.args,
      env: [...meta.env, ...proxyVariables(meta.proxyEnv), ...(await secretVariables(context, op))],
      workingDirectory: meta.cwd,
      user: meta.user,
    },
    ...(meta.hostname && { hostname: meta.hostname }),
    mounts,
    network: networkOf(op.network),
    security: op.security === SecurityMode.INSECURE ? 'insecure' : 'sandbox',
    extraHosts: meta.extraHosts.map(({ Host, IP }) => {
      if (isIP(IP) === 0) throw invalid(`failed to parse IP ${IP}`);
      return `${Host}:${IP}`;
    }),
    ulimits: meta.ulimit.map(({ Name, Soft, Hard }) => ({
      name: Name,
      soft: Number(Soft),
      hard: Number(Hard),
    })),
    limits: {},
    output: context.log,
    signal: context.signal,
  };
}

const networkOf = (mode: NetMode): StepRequest['network'] =>
  mode === NetMode.HOST ? 'host' : mode === NetMode.NONE ? 'none' : 'default';

/** Proxies are the machine's affair: they are no part of the cache's key, nor of the image. */
function proxyVariables(proxies: ProxyEnv | undefined): string[] {
  if (proxies === undefined) return [];
  const { httpProxy, httpsProxy, ftpProxy, noProxy, allProxy } = proxies;
  return Object.entries({
    http_proxy: httpProxy,
    https_proxy: httpsProxy,
    ftp_proxy: ftpProxy,
    no_proxy: noProxy,
    all_proxy: allProxy,
  })
    .filter(([, value]) => value !== '')
    .flatMap(([name, value]) => [`${name.toUpperCase()}=${value}`, `${name}=${value}`]);
}

async function secretVariables({ job }: StepContext, { secretenv }: ExecOp): Promise<string[]> {
  return Promise.all(
    secretenv.map(async ({ ID, name, optional }) => {
      if (ID === '') throw invalid(`secret ID missing for "${name}" environment variable`);
      const content = await job.client.secret(ID);
      if (content === undefined && !optional)
        throw new CortenError('not-found', `secret ${ID}: not found`);
      return `${name}=${content?.toString() ?? ''}`;
    }),
  );
}

async function run(
  { runner, digest, signal }: StepContext,
  { args, validExitCodes }: Meta,
  request: StepRequest,
): Promise<void> {
  const what = `process ${quoted(args.join(' '))} did not complete successfully`;
  let result: StepResult;
  try {
    result = await runner.run(request);
  } catch (error) {
    if (signal.aborted) throw error;
    const exitCode = exitCodeIn(error);
    // The command itself is wrong; whatever else fails is no failure of the process.
    if (exitCode === undefined) throw error;
    throw new StepFailure(`${what}: ${(error as Error).message}`, {
      digest,
      exitCode,
      cause: error,
    });
  }
  const { exitCode, endedByLimit } = result;
  const valid = validExitCodes.length === 0 ? [0] : validExitCodes;
  if (valid.includes(exitCode)) return;
  const limit = endedByLimit === undefined ? '' : `: ${limitText[endedByLimit]}`;
  throw new StepFailure(`${what}: exit code: ${exitCode}${limit}`, { digest, exitCode });
}

const limitText: Record<NonNullable<StepResult['endedByLimit']>, string> = {
  memory:
    'out of memory: the kernel killed it at its memory limit, or because the machine has none left',
  pids: 'it reached its limit of processes',
  disk: 'no space left on device',
};

/** Of the error of a command that is not there or cannot be executed. */
function exitCodeIn(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('exitCode' in error)) return undefined;
  return typeof error.exitCode === 'number' ? error.exitCode : undefined;
}

/** As Go's %q writes it. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /\\u00([0-9a-f]{2})/g,
    (_, digits: string) => goEscapes[digits] ?? `\\x${digits}`,
  );
}

const goEscapes: Partial<Record<string, string>> = { '07': '\\a', '0b': '\\v' };
