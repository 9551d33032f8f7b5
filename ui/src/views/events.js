// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What has happened, some of it before the page was opened. Equal events in a row are one.
import { html, useMemo, useState } from '../html.js'
import { at } from '../api.js'
import { when } from '../figures.js'
import { Choice, Empty, Table, Title } from '../parts.js'
import { useStore } from '../store.js'

const KINDS = [['', 'Everything'], ['domain', 'Guests'], ['network', 'Networks'], ['storage-pool', 'Storage'],
               ['operation', 'Operations'], ['connection', 'Hosts']]

// What is not called as libvirt calls it.
const NAMES = { domain: 'guest', 'storage-pool': 'pool', connection: 'host', 'node-device': 'device' }

const about = event => event.domain ?? event.network ?? event.storagePool ?? event.secret ?? event.nodeDevice
const typeOf = event => event.type ?? event.event
const detailOf = event => event.detail ?? event.snapshot ?? event.operation?.kind ?? ''

// Newest first; `times` is how often in a row.
function gather(events, { text, object }) {
  const wanted = text.toLowerCase(), rows = []
  for (const event of events) {
    if (object && event.object !== object) continue
    if (wanted && ![about(event)?.name, event.host, typeOf(event), detailOf(event)].join(' ').toLowerCase().includes(wanted)) continue
    const last = rows.at(-1)
    if (last && ['host', 'object', 'detail'].every(name => last.event[name] === event[name]) && event.object !== 'operation' &&
      typeOf(last.event) === typeOf(event) && about(last.event)?.name === about(event)?.name) last.times++
    else rows.push({ event, times: 1 })
  }
  return rows
}

function Name({ event }) {
  const one = about(event)
  if (!event.domain) return html`${one?.name ?? ''}`
  return html`<a href="#${at('guest', event.host, one.uuid)}">${one.name}</a>`
}

export function Events() {
  const events = useStore(s => s.events)
  const [filter, set] = useState({ text: '', object: '' })
  const rows = useMemo(() => gather(events, filter), [events, filter])
  return html`<${Title} text="Events" />
    <div class="tools"><input type="search" placeholder="Filter" aria-label="Filter events" value=${filter.text}
        onInput=${event => set({ ...filter, text: event.target.value })} />
      <${Choice} label="Of" value=${filter.object} set=${object => set({ ...filter, object })} options=${KINDS} /></div>
    ${!events.length ? html`<${Empty}><p>Nothing has happened lately</p><//>`
      : !rows.length ? html`<${Empty}><p>No event matches</p><button type="button" onClick=${() =>
          set({ text: '', object: '' })}>Show all</button><//>`
      : html`<${Table} label="Events" head=${['Time', 'Event', 'What', 'Detail', 'Host']}>
    ${rows.map(({ event, times }) => html`<tr key=${event.id}><td class="muted">${when(event.time)}</td>
      <td>${typeOf(event)}${times > 1 && html` <small>× ${times}</small>`}</td>
      <td><b><${Name} event=${event} /></b> <small>${NAMES[event.object] ?? event.object}</small></td>
      <td class="muted">${detailOf(event)}</td><td class="muted">${event.host}</td></tr>`)}<//>`}`
}
