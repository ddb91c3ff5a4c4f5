import type {
  DeviceFact,
  KernelPathFact,
  ResourceLimitFact,
} from '../../../agent/contract/isolation.ts';
import { formatBytes } from '../../messages/format.ts';
import { useMeaning, useText } from '../../messages/use-text.ts';
import { Facts, More, Section, Verdict } from './section.tsx';

/** Parts of `/proc` and `/sys` that tell of the machine: hidden, only readable, or open. */
export function KernelPaths({ facts }: { facts: KernelPathFact[] }) {
  const t = useText();
  const say = useMeaning();
  const there = facts.filter(({ state }) => state !== 'absent');
  const absent = facts.filter(({ state }) => state === 'absent');
  const count = (state: KernelPathFact['state']) =>
    facts.filter((fact) => fact.state === state).length;
  return (
    <Section
      title={t('isolation.kernelPaths')}
      summary={t('isolation.kernelPathsCount', {
        masked: count('masked'),
        readOnly: count('read-only'),
        open: count('open'),
      })}
    >
      <Facts
        label={t('isolation.kernelPaths')}
        columns={[t('isolation.path'), t('isolation.state'), t('isolation.meaning')]}
        widths={['240px', '104px', 'auto']}
      >
        {there.map((fact) => (
          <tr key={fact.path}>
            <th scope="row" className="mono">
              {fact.path}
            </th>
            <td>
              <Verdict good={fact.state !== 'open'}>{t(`isolation.state.${fact.state}`)}</Verdict>
            </td>
            <td>{say(fact)}</td>
          </tr>
        ))}
      </Facts>
      {absent.length === 0 ? null : (
        <More label={t('isolation.kernelPathsAbsent', { count: absent.length })}>
          <p className="mono isolation-says">{absent.map(({ path }) => path).join('  ')}</p>
        </More>
      )}
    </Section>
  );
}

export function Devices({ facts }: { facts: DeviceFact[] }) {
  const t = useText();
  const say = useMeaning();
  const fromRecord = facts.some(({ source }) => source === 'record');
  return (
    <Section
      title={t('isolation.devices')}
      summary={fromRecord ? t('isolation.devicesRecord') : undefined}
    >
      <Facts
        label={t('isolation.devices')}
        columns={[t('isolation.rule'), t('isolation.device'), t('isolation.meaning')]}
        widths={['120px', '208px', 'auto']}
      >
        {facts.map((fact) => (
          <tr key={fact.rule}>
            <th scope="row" className="mono">
              {fact.rule}
            </th>
            <td>{fact.name ?? '–'}</td>
            <td>{say(fact)}</td>
          </tr>
        ))}
      </Facts>
    </Section>
  );
}

export function ResourceLimits({ facts }: { facts: ResourceLimitFact[] }) {
  const t = useText();
  const say = useMeaning();
  const shown = (value: string, unit: string) => {
    if (value === 'unlimited') return <span className="muted">{t('limits.none')}</span>;
    return unit === 'bytes' ? formatBytes(Number(value)) : value;
  };
  return (
    <Section title={t('isolation.resourceLimits')} summary={t('isolation.resourceLimitsHelp')}>
      <Facts
        label={t('isolation.resourceLimits')}
        columns={[
          t('isolation.name'),
          t('isolation.soft'),
          t('isolation.hard'),
          t('isolation.meaning'),
        ]}
        widths={['192px', '104px', '104px', 'auto']}
      >
        {facts.map((fact) => (
          <tr key={fact.name}>
            <th scope="row">{fact.name}</th>
            <td>{shown(fact.soft, fact.unit)}</td>
            <td>{shown(fact.hard, fact.unit)}</td>
            <td>{say(fact)}</td>
          </tr>
        ))}
      </Facts>
    </Section>
  );
}
