import { Component, type ReactNode } from 'react';
import { useText } from '../messages/use-text.ts';
import { messageOf } from '../stores/sentence.ts';
import { Button } from '../ui/button.tsx';
import { Empty } from '../ui/page.tsx';

/**
 * What a place throws while it is drawn, such as a part of the page that could not be loaded, stays in
 * its place: the rest of the window goes on, and another place, or a second try, begins anew.
 */
export class BrokenPlace extends Component<
  { place: string; children: ReactNode },
  { error: unknown; place: string }
> {
  override state = { error: undefined as unknown, place: this.props.place };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  static getDerivedStateFromProps({ place }: { place: string }, state: { place: string }) {
    return place === state.place ? null : { error: undefined, place };
  }

  override render() {
    const { error } = this.state;
    return error === undefined ? this.props.children : <Broken error={error} />;
  }
}

/** A part that failed to load is remembered as failed: only the whole window loads it again. */
function Broken({ error }: { error: unknown }) {
  const t = useText();
  return (
    <div role="alert">
      <Empty
        title={t('broken.title')}
        actions={
          <Button kind="main" icon="restart" onClick={() => window.location.reload()}>
            {t('broken.reload')}
          </Button>
        }
      >
        {t('broken.body', { cause: messageOf(error) })}
      </Empty>
    </div>
  );
}
