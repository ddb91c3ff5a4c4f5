import { type ReactNode, useEffect, useState } from 'react';
import { openAddress } from '../../bridge/system.ts';
import { formatAge } from '../../messages/format.ts';
import { spaceWords } from '../../messages/space-words.ts';
import { useText } from '../../messages/use-text.ts';
import { type ContainerRow, portAddress } from '../../stores/container-row.ts';
import { followDiskUsage, useDiskUsage } from '../../stores/disk-usage.ts';
import { forwardedPort, useForward } from '../../stores/forward.ts';
import { useInspection } from '../../stores/inspection.ts';
import { useShownMachine } from '../../stores/machines.ts';
import { Button } from '../../ui/button.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Notice, Skeleton } from '../../ui/page.tsx';
import { useNow } from '../../ui/use-now.ts';
import { Charts } from './charts.tsx';
import { Hour } from './hour.tsx';
import { isSecret } from './secret.ts';

type Document = NonNullable<ReturnType<typeof useInspection.getState>['document']>;

export function Overview({ row }: { row: ContainerRow }) {
  const t = useText();
  const { document, error } = useInspection();
  return (
    <div className="page-body overview">
      {error ? <Notice>{error}</Notice> : null}
      {document?.State?.Error ? <Notice>{document.State.Error}</Notice> : null}
      {document?.State?.OOMKilled ? <Notice kind="warn">{t('overview.oomKilled')}</Notice> : null}
      <Charts row={row} />
      <Hour row={row} />
      {document ? (
        <div className="overview-columns">
          <Facts row={row} document={document} />
          <Mounts document={document} />
          <Networks document={document} />
          <Environment variables={document.Config?.Env ?? []} />
        </div>
      ) : (
        <Skeleton lines={8} label={t('containers.loading')} />
      )}
    </div>
  );
}

function Section({
  title,
  tools,
  children,
}: {
  title: string;
  tools?: ReactNode;
  children: ReactNode;
}) {
  return (
    <section className="card facts" aria-label={title}>
      <div className="facts-head">
        <h2>{title}</h2>
        {tools}
      </div>
      {children}
    </section>
  );
}

function Facts({ row, document }: { row: ContainerRow; document: Document }) {
  const t = useText();
  const nowMs = useNow(1000);
  const started = document.State?.StartedAt;
  const running = document.State?.Running && started;
  const words = [document.Path ?? '', ...(document.Args ?? [])];
  const restart = document.HostConfig?.RestartPolicy?.Name || 'no';
  return (
    <Section title={t('overview.facts')}>
      <dl className="pairs">
        <dt>{t('overview.image')}</dt>
        <dd>{document.Config?.Image}</dd>
        <dt>{t('overview.command')}</dt>
        <dd className="mono">{words.join(' ')}</dd>
        <dt>{t('overview.id')}</dt>
        <dd className="mono">{row.id.slice(0, 12)}</dd>
        <dt>{t('overview.created')}</dt>
        <dd>{t('overview.ago', { age: formatAge(nowMs - row.createdAtMs) })}</dd>
        {running ? (
          <>
            <dt>{t('overview.up')}</dt>
            <dd>{formatAge(nowMs - new Date(started).getTime())}</dd>
          </>
        ) : null}
        {row.exitCode === undefined || row.status !== 'exited' ? null : (
          <>
            <dt>{t('overview.exitCode')}</dt>
            <dd>{row.exitCode}</dd>
          </>
        )}
        <dt>{t('overview.restart')}</dt>
        <dd>{t(`restart.${restart as 'no'}`)}</dd>
        <dt>{t('overview.root')}</dt>
        <dd>{t(document.HostConfig?.UsernsMode === 'auto' ? 'root.own' : 'root.machine')}</dd>
        <DiskSpace id={row.id} />
        <dt>{t('overview.ports')}</dt>
        <dd>
          {row.ports.length === 0 ? t('overview.none') : null}
          {row.ports.map((port) => (
            <PortLine
              key={`${port.hostPort} ${port.containerPort}/${port.protocol}`}
              containerId={row.id}
              port={port}
            />
          ))}
        </dd>
      </dl>
    </Section>
  );
}

/** What its own files take, where somebody counts it; and a word before writing fails. */
function DiskSpace({ id }: { id: string }) {
  const t = useText();
  const usage = useDiskUsage((state) => (state.id === id ? state.usage : undefined));
  useEffect(() => followDiskUsage(id), [id]);
  if (!usage || usage.usedBytes === null) return null;
  const { held, warning } = spaceWords(usage.usedBytes, usage.maxBytes, t);
  return (
    <>
      <dt>{t('limits.space')}</dt>
      <dd>
        {held}
        {warning === undefined ? null : (
          <span className="field-warning" role="status">
            <Icon name="warning" size={14} />
            {warning}
          </span>
        )}
      </dd>
    </>
  );
}

function PortLine({
  containerId,
  port,
}: {
  containerId: string;
  port: ContainerRow['ports'][number];
}) {
  const t = useText();
  const portsHere = useShownMachine()?.choices?.portsHere;
  const forwarded = useForward(({ ports }) => forwardedPort(ports, containerId, port));
  const isFailed = forwarded?.status === 'failed';
  const address = isFailed ? undefined : portAddress(port, portsHere);
  return (
    <div className="port-line">
      {address ? (
        <button type="button" className="link" onClick={() => void openAddress(address)}>
          {address}
        </button>
      ) : null}
      <span className="muted">
        {port.hostPort && !address ? `${port.hostPort} ` : ''}→ {port.containerPort}/{port.protocol}
      </span>
      {forwarded?.cause ? (
        <p className={isFailed ? 'port-failed' : 'muted'}>
          {t(isFailed ? 'port.failed' : 'port.partly', {
            cause: forwarded.cause,
            nextStep: forwarded.nextStep ?? '',
          })}
        </p>
      ) : null}
    </div>
  );
}

function Mounts({ document }: { document: Document }) {
  const t = useText();
  const mounts = document.Mounts ?? [];
  return (
    <Section title={t('overview.mounts')}>
      {mounts.length === 0 ? <p className="muted">{t('overview.none')}</p> : null}
      <dl className="pairs">
        {mounts.map((mount) => (
          <div key={mount.Destination} className="pair">
            <dt className="mono">{mount.Destination}</dt>
            <dd>
              <span className="muted">{mount.Type}</span>{' '}
              <span className="mono">{mount.Name || mount.Source}</span>
              {mount.RW ? null : <span className="muted"> {t('overview.readOnly')}</span>}
            </dd>
          </div>
        ))}
      </dl>
    </Section>
  );
}

function Networks({ document }: { document: Document }) {
  const t = useText();
  const networks = Object.entries(document.NetworkSettings?.Networks ?? {});
  return (
    <Section title={t('overview.networks')}>
      {networks.length === 0 ? <p className="muted">{t('overview.none')}</p> : null}
      <dl className="pairs">
        {networks.map(([name, endpoint]) => (
          <div key={name} className="pair">
            <dt>{name}</dt>
            <dd className="mono">{endpoint.IPAddress || '–'}</dd>
          </div>
        ))}
      </dl>
    </Section>
  );
}

function Environment({ variables }: { variables: string[] }) {
  const t = useText();
  const [shown, setShown] = useState(false);
  const pairs = variables.map((text) => {
    const at = text.indexOf('=');
    return at === -1 ? ([text, ''] as const) : ([text.slice(0, at), text.slice(at + 1)] as const);
  });
  const secrets = pairs.some(([name]) => isSecret(name));
  return (
    <Section
      title={t('overview.env')}
      tools={
        secrets ? (
          <Button kind="plain" icon="eye" aria-pressed={shown} onClick={() => setShown(!shown)}>
            {t('overview.showSecrets')}
          </Button>
        ) : null
      }
    >
      {pairs.length === 0 ? <p className="muted">{t('overview.none')}</p> : null}
      <dl className="pairs">
        {pairs.map(([name, value]) => (
          <div key={name} className="pair">
            <dt className="mono">{name}</dt>
            <dd className="mono">{isSecret(name) && !shown ? t('overview.masked') : value}</dd>
          </div>
        ))}
      </dl>
    </Section>
  );
}
