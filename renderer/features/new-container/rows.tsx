import type { ReactNode } from 'react';
import { useText } from '../../messages/use-text.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { CheckField } from '../../ui/checkbox.tsx';
import { TextField } from '../../ui/field.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Select } from '../../ui/select.tsx';
import { type FieldProps, problemOf } from './field-props.ts';
import { type PortRow, rowKey } from './form.ts';

export function Ports(props: FieldProps & { exposed: string[] }) {
  const t = useText();
  const { form, set, exposed } = props;
  const change = (key: number, part: Partial<PortRow>) =>
    set({ ports: form.ports.map((row) => (row.key === key ? { ...row, ...part } : row)) });
  const add = (container = '') => {
    const row = { key: rowKey(), host: container, container, protocol: 'tcp' as const };
    set({ ports: [...form.ports, row] });
  };
  const unlisted = exposed
    .filter((port) => port.endsWith('/tcp'))
    .map((port) => port.replace('/tcp', ''))
    .filter((port) => !form.ports.some((row) => row.container === port));
  return (
    <Rows
      title={t('new.ports')}
      help={t('new.portsHelp')}
      addLabel={t('new.addPort')}
      onAdd={() => add()}
    >
      {unlisted.length === 0 ? null : (
        <div className="new-hints">
          <span className="muted">{t('new.exposed')}</span>
          {unlisted.map((port) => (
            <Button key={port} icon="plus" onClick={() => add(port)}>
              {port}
            </Button>
          ))}
        </div>
      )}
      {form.ports.map((row) => (
        <RowLine
          key={row.key}
          error={problemOf(props, `ports.${row.key}`, row.container, t)}
          removeLabel={t('new.removePort')}
          onRemove={() => set({ ports: form.ports.filter((one) => one !== row) })}
        >
          <TextField
            hideLabel
            label={t('new.hostPort')}
            placeholder={t('new.hostPortPlaceholder')}
            value={row.host}
            onChange={(host) => change(row.key, { host })}
          />
          <span aria-hidden="true">→</span>
          <TextField
            hideLabel
            label={t('new.containerPort')}
            placeholder={t('new.containerPortPlaceholder')}
            value={row.container}
            aria-invalid={problemOf(props, `ports.${row.key}`, row.container, t) !== undefined}
            onChange={(container) => change(row.key, { container })}
          />
          <Select
            hideLabel
            label={t('new.protocol')}
            value={row.protocol}
            choices={[
              { value: 'tcp', label: 'TCP' },
              { value: 'udp', label: 'UDP' },
            ]}
            onChange={(protocol) => change(row.key, { protocol })}
          />
        </RowLine>
      ))}
    </Rows>
  );
}

export function Mounts(props: FieldProps) {
  const t = useText();
  const { form, set } = props;
  const change = (key: number, part: object) =>
    set({ mounts: form.mounts.map((row) => (row.key === key ? { ...row, ...part } : row)) });
  return (
    <Rows
      title={t('new.mounts')}
      help={t('new.mountsHelp')}
      addLabel={t('new.addMount')}
      onAdd={() => {
        const row = { key: rowKey(), source: '', target: '', readOnly: false };
        set({ mounts: [...form.mounts, row] });
      }}
    >
      {form.mounts.map((row) => (
        <RowLine
          key={row.key}
          error={problemOf(props, `mounts.${row.key}`, row.target, t)}
          removeLabel={t('new.removeMount')}
          onRemove={() => set({ mounts: form.mounts.filter((one) => one !== row) })}
        >
          <TextField
            hideLabel
            mono
            label={t('new.mountSource')}
            placeholder={t('new.mountSourcePlaceholder')}
            value={row.source}
            onChange={(source) => change(row.key, { source })}
          />
          <span aria-hidden="true">→</span>
          <TextField
            hideLabel
            mono
            label={t('new.mountTarget')}
            placeholder="/data"
            value={row.target}
            aria-invalid={problemOf(props, `mounts.${row.key}`, row.target, t) !== undefined}
            onChange={(target) => change(row.key, { target })}
          />
          <CheckField
            label={t('new.mountReadOnly')}
            checked={row.readOnly}
            onChange={(readOnly) => change(row.key, { readOnly })}
          />
        </RowLine>
      ))}
    </Rows>
  );
}

export function Environment(props: FieldProps) {
  const t = useText();
  const { form, set } = props;
  const change = (key: number, part: object) =>
    set({ env: form.env.map((row) => (row.key === key ? { ...row, ...part } : row)) });
  return (
    <Rows
      title={t('new.env')}
      help={t('new.envHelp')}
      addLabel={t('new.addEnv')}
      onAdd={() => set({ env: [...form.env, { key: rowKey(), name: '', value: '' }] })}
    >
      {form.env.map((row) => (
        <RowLine
          key={row.key}
          error={problemOf(props, `env.${row.key}`, row.name || row.value, t)}
          removeLabel={t('new.removeEnv')}
          onRemove={() => set({ env: form.env.filter((one) => one !== row) })}
        >
          <TextField
            hideLabel
            mono
            label={t('new.envName')}
            placeholder="NAME"
            value={row.name}
            onChange={(name) => change(row.key, { name })}
          />
          <span aria-hidden="true">=</span>
          <TextField
            hideLabel
            mono
            label={t('new.envValue')}
            placeholder="value"
            value={row.value}
            onChange={(value) => change(row.key, { value })}
          />
        </RowLine>
      ))}
    </Rows>
  );
}

function Rows({
  title,
  help,
  addLabel,
  onAdd,
  children,
}: {
  title: string;
  help: string;
  addLabel: string;
  onAdd: () => void;
  children: ReactNode;
}) {
  return (
    <section className="card new-part" aria-label={title}>
      <div className="new-part-head">
        <h2>{title}</h2>
        <span className="field-note">{help}</span>
        <span className="spacer" />
        <Button icon="plus" onClick={onAdd}>
          {addLabel}
        </Button>
      </div>
      {children}
    </section>
  );
}

function RowLine({
  error,
  removeLabel,
  onRemove,
  children,
}: {
  error: string | undefined;
  removeLabel: string;
  onRemove: () => void;
  children: ReactNode;
}) {
  return (
    <div>
      <div className="new-row">
        {children}
        <IconButton icon="close" label={removeLabel} onClick={onRemove} />
      </div>
      {error ? (
        <span className="field-error" role="alert">
          <Icon name="warning" size={14} />
          {error}
        </span>
      ) : null}
    </div>
  );
}
