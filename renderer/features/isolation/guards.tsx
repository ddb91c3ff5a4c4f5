import type {
  DeviceFact,
  KernelPathFact,
  ResourceLimitFact,
} from '../../../agent/contract/isolation.ts';
import { formatBytes } from '../../messages/format.ts';
import { useMeaning, useText } from '../../messages/use-text.ts';
import { Facts, More, Section, Verdict } from './section.tsx';

/** Items that say the same, told once. */
function alike<T extends { id: string }>(facts: T[]): [T, ...T[]][] {
  return [...Map.groupBy(facts, ({ id }) => id).values()] as [T, ...T[]][];
}

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
        columns={[t('isolation.state'), t('isolation.paths'), t('isolation.meaning')]}
        widths={['132px', '46%', 'auto']}
      >
        {alike(there).map((group) => (
          <tr key={group[0].id}>
            <th scope="row">
              <Verdict kind={group[0].state === 'open' ? 'open' : 'apart'}>
                {t(`isolation.state.${group[0].state}`)}
              </Verdict>
            </th>
            <td className="mono">
              <ul className="alike">
                {group.map(({ path }) => (
                  <li key={path}>{path}</li>
                ))}
              </ul>
            </td>
            <td>{say(group[0])}</td>
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
        columns={[t('isolation.rule'), t('isolation.meaning')]}
        widths={['58%', 'auto']}
      >
        {alike(facts).map((group) => (
          <tr key={group[0].id}>
            <td>
              <ul className="alike">
                {group.map(({ rule, name }) => (
                  <li key={rule}>
                    <span className="mono">{rule}</span>
                    {name ? <span className="muted"> {name}</span> : null}
                  </li>
                ))}
              </ul>
            </td>
            <td>{say(group[0])}</td>
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
