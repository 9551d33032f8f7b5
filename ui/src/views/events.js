// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What has happened, some of it before the page was opened.
import { html } from '../html.js'
import { at } from '../api.js'
import { when } from '../figures.js'
import { Empty, Table, Title } from '../parts.js'
import { useStore } from '../store.js'

const about = event => event.domain ?? event.network ?? event.storagePool ?? event.secret ?? event.nodeDevice

function Name({ event }) {
  const one = about(event)
  if (!event.domain) return html`${one?.name ?? '–'}`
  return html`<a href="#${at('guest', event.host, one.uuid)}">${one.name}</a>`
}

export function Events() {
  const events = useStore(s => s.events)
  return html`<${Title} text="Events" />${!events.length ? html`<${Empty}><p>Nothing has happened
      lately</p><//>` : html`<${Table} label="Events" head=${['Time', 'Host', 'What', 'Event', 'Detail']}>
    ${events.map(event => html`<tr key=${event.id}><td>${when(event.time)}</td><td class="muted">${event.host}</td>
      <td><b><${Name} event=${event} /></b> <small>${event.object}</small></td>
      <td>${event.type ?? event.event}</td>
      <td class="muted">${event.detail ?? event.snapshot ?? event.operation?.kind ?? ''}</td></tr>`)}<//>`}`
}
