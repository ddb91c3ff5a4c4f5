import { Fragment } from 'react';
import { Link } from 'wouter';
import type { NamespaceFact } from '../../../agent/contract/isolation.ts';
import { useMeaning, useText } from '../../messages/use-text.ts';
import { Facts, Section, Verdict } from './section.tsx';

/** Each kind with the kernel's number inside and on the machine: where they differ, it is apart. */
export function Namespaces({ facts }: { facts: NamespaceFact[] }) {
  const t = useText();
  const say = useMeaning();
  const apart = facts.filter(({ scope }) => scope !== 'host').length;
  return (
    <Section
      title={t('isolation.namespaces')}
      summary={t('isolation.namespacesApart', { apart, count: facts.length })}
    >
      <Facts
        label={t('isolation.namespaces')}
        columns={[
          t('isolation.kind'),
          t('isolation.inside'),
          t('isolation.onMachine'),
          t('isolation.scope'),
          t('isolation.meaning'),
        ]}
        widths={['100px', '108px', '116px', '132px', 'auto']}
      >
        {facts.map((fact) => (
          <tr key={fact.type}>
            <th scope="row">{t(`isolation.namespace.${fact.type}`)}</th>
            <td className="mono">
              {fact.insideId ?? (fact.scope === 'own' ? t('isolation.notYet') : '–')}
            </td>
            <td className={fact.scope === 'host' ? 'mono' : 'mono muted'}>{fact.hostId ?? '–'}</td>
            <td>
              <Verdict kind={verdictOf(fact)}>{t(`isolation.scope.${fact.scope}`)}</Verdict>
              <SharedWith containers={fact.sharedWith} />
            </td>
            <td>{say(fact)}</td>
          </tr>
        ))}
      </Facts>
    </Section>
  );
}

/** No container has clocks of its own, and users of its own only where that was asked for. */
const usuallyShared: readonly string[] = ['user', 'time'];

function verdictOf({ type, scope }: NamespaceFact): 'apart' | 'usual' | 'open' {
  if (scope !== 'host') return 'apart';
  return usuallyShared.includes(type) ? 'usual' : 'open';
}

function SharedWith({ containers }: { containers: NamespaceFact['sharedWith'] }) {
  if (containers.length === 0) return null;
  return (
    <div>
      {containers.map(({ id, name }, index) => (
        <Fragment key={id}>
          {index > 0 ? ', ' : ''}
          <Link href={`/containers/${id.slice(0, 12)}/isolation`}>{name}</Link>
        </Fragment>
      ))}
    </div>
  );
}
