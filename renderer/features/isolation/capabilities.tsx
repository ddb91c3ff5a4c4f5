import type { CapabilityFact } from '../../../agent/contract/isolation.ts';
import { useMeaning, useText } from '../../messages/use-text.ts';
import { Facts, More, Section } from './section.tsx';

const columns = ['effective', 'permitted', 'bounding', 'ambient'] as const;

/** Those it has, set by set; those that were taken from it are a click away. */
export function Capabilities({ facts }: { facts: CapabilityFact[] }) {
  const t = useText();
  const say = useMeaning();
  const held = facts.filter(({ sets }) => sets.length > 0);
  const absent = facts.filter(({ sets }) => sets.length === 0);
  return (
    <Section
      title={t('isolation.capabilities')}
      summary={t('isolation.capabilitiesHeld', { held: held.length, count: facts.length })}
    >
      {held.length === 0 ? <p className="isolation-says">{t('isolation.noCapability')}</p> : null}
      {held.length === 0 ? null : (
        <Facts
          label={t('isolation.capabilities')}
          columns={[
            t('isolation.capability'),
            ...columns.map((set) => t(`isolation.set.${set}`)),
            t('isolation.meaning'),
          ]}
          widths={['176px', '72px', '76px', '76px', '72px', 'auto']}
        >
          {held.map((fact) => (
            <tr key={fact.name}>
              <th scope="row" className="mono">
                {short(fact.name)}
                {fact.byDefault ? null : (
                  <span className="beyond">{t('isolation.beyondDefault')}</span>
                )}
              </th>
              {columns.map((set) => (
                <td key={set}>
                  <Has yes={fact.sets.includes(set)} />
                </td>
              ))}
              <td>{say(fact)}</td>
            </tr>
          ))}
        </Facts>
      )}
      {absent.length === 0 ? null : (
        <More label={t('isolation.capabilitiesAbsent', { count: absent.length })}>
          <Facts
            label={t('isolation.capabilitiesAbsent', { count: absent.length })}
            columns={[t('isolation.capability'), t('isolation.meaning')]}
            widths={['176px', 'auto']}
          >
            {absent.map((fact) => (
              <tr key={fact.name}>
                <th scope="row" className="mono">
                  {short(fact.name)}
                </th>
                <td>{say(fact)}</td>
              </tr>
            ))}
          </Facts>
        </More>
      )}
    </Section>
  );
}

function Has({ yes }: { yes: boolean }) {
  const t = useText();
  return (
    <>
      <span aria-hidden="true" className={yes ? 'has' : 'muted'}>
        {yes ? '●' : '–'}
      </span>
      <span className="unseen">{yes ? t('isolation.yes') : t('isolation.no')}</span>
    </>
  );
}

/** As `--cap-add` takes it. */
function short(name: string): string {
  return name.replace(/^CAP_/, '');
}
