// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The hosts of this gateway, and one of them.
import { html } from '../html.js'
import { at } from '../api.js'
import { bytes } from '../figures.js'
import { Empty, Facts, Failure, Loading, State, Table, Title, useRead } from '../parts.js'
import { useStore } from '../store.js'

function Node({ host }) {
  const { data } = useRead(`${at('hosts', host)}/node`)
  return data ? html`<td>${data.model}</td><td class="number">${data.cpus}</td>
    <td class="number">${bytes(data.memoryKiB * 1024)}</td>` : html`<td></td><td></td><td></td>`
}

const None = () => html`<td>–</td><td class="number">–</td><td class="number">–</td>`

export function Hosts() {
  const hosts = useStore(s => s.hosts), guests = useStore(s => s.guests)
  const count = host => [...guests?.values() ?? []].filter(one => one.host === host).length
  if (!guests) return html`<${Title} text="Hosts" /><${Loading} what="hosts" />`
  return html`<${Title} text="Hosts" />${!hosts.size ? html`<${Empty}><p>No hosts</p><//>` : html`<${Table} label="Hosts"
    head=${['Name', 'State', 'Guests', 'CPU', 'CPUs', 'Memory', 'Address']}>${[...hosts.values()].map(one => html`<tr
      key=${one.host}><td class="name"><a href="#${at('host', one.host)}">${one.host}</a></td><td><${State} is=${one.state} /></td>
      <td class="number">${count(one.host)}</td>${one.state === 'up' ? html`<${Node} host=${one.host} />` : html`<${None} />`}
      <td class="muted">${one.uri}</td></tr>`)}<//>`}`
}

export function Host({ path: [name] }) {
  const host = useStore(s => s.hosts.get(name))
  const up = host?.state === 'up', base = at('hosts', name)
  const node = useRead(up ? `${base}/node` : null)
  const memory = useRead(up ? `${base}/node/memory` : null)
  const version = useRead(up ? `${base}/version` : null)
  const connection = useRead(up ? `${base}/connection` : null)
  if (!host) return html`<${Title} text=${name} /><${Empty}><p>There is no host of that name</p><//>`
  const n = node.data
  return html`<${Title} text=${name}><${State} is=${host.state} /><//>
    ${host.error && html`<${Failure} problem=${{ message: host.error.message ?? host.error.detail, body: host.error }} />`}
    ${node.problem && html`<${Failure} problem=${node.problem} again=${node.again} />`}
    <${Facts} of=${[['Address', host.uri], ['Hostname', connection.data?.hostname],
      ['Hypervisor', version.data && `${version.data.hypervisor.type} ${version.data.hypervisor.version}`],
      ['libvirt', version.data?.libvirt.version], ['Gateway', version.data?.gateway.version],
      ['CPU', n && `${n.cpus} × ${n.model}, ${n.mhz} MHz`],
      ['Layout', n && `${n.nodes} NUMA × ${n.sockets} sockets × ${n.cores} cores × ${n.threads} threads`],
      ['Memory', n && bytes(n.memoryKiB * 1024)], ['Free memory', memory.data && bytes(memory.data.freeBytes)],
      ['Access', host.readOnly ? 'read only' : 'read and write']]} />`
}
