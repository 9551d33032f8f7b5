// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Virtual networks of all hosts, and one of them with its leases.
import { html } from '../html.js'
import { at, call } from '../api.js'
import { when } from '../figures.js'
import { Act, Facts, Failure, Listing, Loading, State, Table, Title, useRead } from '../parts.js'
import { ask, attempt, useStore } from '../store.js'

const pathOf = net => at('hosts', net.host, 'networks', net.uuid)

export async function toggleNetwork(net, again) {
  const text = 'Guests that are connected to it lose their connection.'
  if (net.active && !await ask(`Stop network ${net.name}?`, text, 'Stop')) return
  await attempt(`${net.name} ${net.active ? 'stopped' : 'started'}`,
    () => call('POST', `${pathOf(net)}/${net.active ? 'destroy' : 'start'}`))
  again()
}

const Toggle = ({ net, again }) => html`<${Act} needs=${net.active ? 'network:stop' : 'network:start'}
  onClick=${() => toggleNetwork(net, again)} aria-label="${net.active ? 'Stop' : 'Start'} ${net.name}">${
  net.active ? 'Stop' : 'Start'}<//>`

const useTurn = object => useStore(s => s.events.find(one => one.object === object)?.id)

export function Networks() {
  const read = useRead('/hosts/-/networks?view=full', useTurn('network'))
  return html`<${Title} text="Networks" /><${Listing} read=${read} what="networks" none="No networks yet"
    list=${data => data.networks}>${rows => html`<${Table} label="Networks"
    head=${['Name', 'State', 'Host', 'Bridge', 'Starts with host', '']}>${rows.map(net => html`<tr
      key=${net.host + net.uuid}><td class="name"><a href="#${at('network', net.host, net.uuid)}">${net.name}</a></td>
      <td><${State} is=${net.active ? 'active' : 'inactive'} /></td><td class="muted">${net.host}</td>
      <td>${net.bridge ?? '–'}</td><td>${net.autostart ? 'yes' : 'no'}</td>
      <td class="acts"><${Toggle} net=${net} again=${read.again} /></td></tr>`)}<//>`}<//>`
}

function Leases({ net }) {
  const read = useRead(net.active ? `${pathOf(net)}/dhcp-leases` : null)
  if (!net.active) return null
  return html`<h2>Leases</h2><${Listing} read=${read} what="leases" none="No leases"
    list=${data => data.leases}>${rows => html`<${Table} label="Leases"
    head=${['Address', 'MAC', 'Name', 'Until']}>${rows.map(one => html`<tr key=${one.address}>
      <td><b>${one.address}</b></td><td>${one.mac}</td><td>${one.hostname ?? '–'}</td>
      <td>${one.expiryTime ? when(one.expiryTime) : 'for ever'}</td></tr>`)}<//>`}<//>`
}

export function Network({ path: [host, uuid] }) {
  const read = useRead(at('hosts', host, 'networks', uuid), useTurn('network'))
  if (!read.data) {
    return html`<${Title} text="Network" />${read.problem ? html`<${Failure} problem=${read.problem} again=${read.again} />`
      : html`<${Loading} what="the network" />`}`
  }
  const net = { ...read.data, host }
  const subnets = net.ips?.map(ip => `${ip.address}/${ip.prefix}`).join(', ')
  const ranges = net.ips?.flatMap(ip => ip.dhcp?.ranges ?? []).map(one => `${one.start} – ${one.end}`).join(', ')
  return html`<${Title} text=${net.name}><${State} is=${net.active ? 'active' : 'inactive'} />
      <${Toggle} net=${net} again=${read.again} /><//>
    <${Facts} of=${[['Host', host], ['UUID', uuid], ['Mode', net.forwardMode ?? 'isolated'], ['Bridge', net.bridge],
      ['Subnets', subnets], ['DHCP', ranges || 'none'], ['Starts with host', net.autostart ? 'yes' : 'no']]} />
    <${Leases} net=${net} />`
}
