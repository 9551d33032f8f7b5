// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One guest, in tabs.
import { html, useEffect } from '../html.js'
import { at, get, guestPath } from '../api.js'
import { menuOf } from '../acts.js'
import { Act, Empty, Loading, Menu, State, Title } from '../parts.js'
import { change, state, useStore } from '../store.js'
import { Console, Display } from './screens.js'
import { Configuration } from './configuration.js'
import { Disks, Nics } from './devices.js'
import { Overview } from './overview.js'
import { Snapshots } from './snapshots.js'

const TABS = { overview: ['Overview', Overview], console: ['Console', Console], display: ['Display', Display],
               disks: ['Disks', Disks], network: ['Network', Nics], snapshots: ['Snapshots', Snapshots],
               configuration: ['Configuration', Configuration] }

// A list has few members of a guest: the rest is read when it is looked at.
function useWhole(host, uuid, known) {
  useEffect(() => {
    if (!known || known.memoryKiB !== undefined) return
    get(guestPath({ host, uuid })).then(guest => {
      const guests = new Map(state.guests)
      guests.set(`${host}/${uuid}`, { ...guests.get(`${host}/${uuid}`), ...guest, host })
      change({ guests })
    }, () => {})
  }, [known])
}

export function Guest({ path: [host, uuid, tab = 'overview'] }) {
  const guests = useStore(s => s.guests)
  const guest = guests?.get(`${host}/${uuid}`)
  useWhole(host, uuid, guest)
  if (!guests) return html`<${Title} text="Guest" /><${Loading} what="guests" />`
  if (!guest) {
    return html`<${Title} text="Guest" /><${Empty}><p>There is no such guest here. It may have been
      undefined or moved.</p><a class="button" href="#/guests">All guests</a><//>`
  }
  const [likely, others] = menuOf(guest, () => { location.hash = '#/guests' })
  const Tab = (TABS[tab] ?? TABS.overview)[1]
  return html`<${Title} text=${guest.name} more=${guest.title}><${State} is=${guest.state} />
      ${likely && html`<${Act} class="main" needs=${likely.needs} disabled=${likely.off} onClick=${likely.run}>${likely.label}<//>`}
      <${Menu} label="More for ${guest.name}" items=${others} /><//>
    ${guest.stale && html`<p class="away" role="status"><b>${host}</b> cannot be reached; this is what was
      last seen.</p>`}
    <nav class="tabs" aria-label="About ${guest.name}">${Object.entries(TABS).map(([name, [label]]) => html`<a
      key=${name} href="#${at('guest', host, uuid, name)}"
      aria-current=${name === tab ? 'page' : undefined}>${label}</a>`)}</nav>
    <${Tab} key=${tab} guest=${guest} />`
}
