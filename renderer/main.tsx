/** The renderer's composition root: the bridge, the streams that feed the stores, and the page. */
import { CSPProvider } from '@base-ui/react/csp-provider';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { IntlProvider } from 'react-intl';
import { Router } from 'wouter';
import { useHashLocation } from 'wouter/use-hash-location';
import { createShellBridge } from '../electron/contract/shell-bridge.ts';
import { App } from './app.tsx';
import { provideBridge } from './bridge/bridge.ts';
import { en } from './messages/en.ts';
import { followEvents } from './stores/events.ts';
import { followMachine, useMachine } from './stores/machine.ts';
import { pauseFigures } from './stores/stats.ts';
import './ui/tokens.css';
import './ui/base.css';

provideBridge(createShellBridge());

void followMachine(new AbortController().signal);
followEventsWhileRunning();
document.addEventListener('visibilitychange', () => pauseFigures(document.hidden));

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <CSPProvider disableStyleElements>
      <IntlProvider locale="en" messages={en}>
        <Router hook={useHashLocation}>
          <App />
        </Router>
      </IntlProvider>
    </CSPProvider>
  </StrictMode>,
);

/** One event stream for as long as an engine runs. */
function followEventsWhileRunning(): void {
  let controller: AbortController | undefined;
  useMachine.subscribe(({ machine }) => {
    // Following what happens in a resting machine is no use that wakes it.
    const running = machine?.status === 'running' || machine?.status === 'paused';
    if (running && !controller) {
      controller = new AbortController();
      void followEvents(controller.signal);
    }
    if (!running) {
      controller?.abort();
      controller = undefined;
    }
  });
}
