// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The hosts of this gateway, and one of them.
import { html } from '../html.js'
import { at } from '../api.js'
import { bytes, percent } from '../figures.js'
import { Bar, Empty, Facts, Failure, Loading, State, Table, Title, wordsOf, usePoll, useRead } from '../parts.js'
import { useStore } from '../store.js'

const POLL_MS = 5000

// What hosts tell of themselves, by one request for all; a host that is down tells nothing.
function useFull() {
  const { data } = usePoll('/hosts?view=full', POLL_MS)
  return new Map(data?.hosts.map(host => [host.host, host]))
}

/** @param {import('../types').Schema<'Host'>['node']} node */
const memoryOf = ({ memoryKiB: all, freeMemoryKiB: free }) => (free === undefined ? bytes(all * 1024)
  : `${bytes((all - free) * 1024)} of ${bytes(all * 1024)}`)

function Row({ host, full }) {
  const { domains, node, hypervisor } = full ?? {}
  return html`<tr><td class="name"><a href="#${at('host', host.host)}">${host.host}</a></td>
    <td><${State} is=${host.state} /></td>
    <td class="number">${domains && `${domains.running} of ${domains.total}`}</td>
    <td>${node?.cpuPercent !== undefined && html`<${Bar} part=${node.cpuPercent / 100} />${percent(node.cpuPercent)}`}</td>
    <td class="number">${node && `${node.cpus} × ${node.model}`}</td>
    <td>${node && html`<${Bar} part=${1 - (node.freeMemoryKiB ?? node.memoryKiB) / node.memoryKiB} />${memoryOf(node)}`}</td>
    <td>${hypervisor && `${hypervisor.type} ${hypervisor.version ?? ''}`}</td>
    <td class="muted">${host.uri}</td></tr>`
}

export function Hosts() {
  const hosts = useStore(s => s.hosts), guests = useStore(s => s.guests), full = useFull()
  if (!guests) return html`<${Title} text="Hosts" /><${Loading} what="hosts" />`
  return html`<${Title} text="Hosts" />${!hosts.size ? html`<${Empty}><p>No hosts</p><//>` : html`<${Table} label="Hosts"
    head=${['Name', 'State', '#Guests on', 'CPU', '#CPUs', 'Memory', 'Hypervisor', 'Address']}>${
    [...hosts.values()].map(one => html`<${Row} key=${one.host} host=${one} full=${full.get(one.host)} />`)}<//>`}`
}

export function Host({ path: [name] }) {
  const host = useStore(s => s.hosts.get(name)), version = useStore(s => s.version)
  const { node: figures, domains, hypervisor, libvirt } = useFull().get(name) ?? {}
  const up = host?.state === 'up', base = at('hosts', name)
  const node = useRead(up ? `${base}/node` : null)
  const connection = useRead(up ? `${base}/connection` : null)
  if (!host) return html`<${Title} text=${name} /><${Empty}><p>There is no host of that name</p><//>`
  const n = node.data
  return html`<${Title} text=${name}><${State} is=${host.state} /><//>
    ${host.error && html`<${Failure} problem=${{ message: wordsOf(host.error), body: host.error }} />`}
    ${node.problem && html`<${Failure} problem=${node.problem} again=${node.again} />`}
    <${Facts} of=${[['Address', host.uri], ['Hostname', connection.data?.hostname],
      ['Guests', domains && `${domains.running} on, ${domains.paused} paused, ${domains.shutoff} off, ${domains.total} in all`],
      ['Hypervisor', hypervisor && `${hypervisor.type} ${hypervisor.version ?? ''}`],
      ['libvirt', libvirt?.version], ['Gateway', version],
      ['CPU', n && `${n.cpus} × ${n.model}, ${n.mhz} MHz`], ['CPU in use', figures && percent(figures.cpuPercent)],
      ['Layout', n && [[n.nodes, 'NUMA node'], [n.sockets, 'socket'], [n.cores, 'core'], [n.threads, 'thread']]
        .map(([count, what]) => `${count} ${what}${count === 1 ? '' : 's'}`).join(' × ')],
      ['Memory in use', figures && memoryOf(figures)],
      ['Rights', host.readOnly ? 'read only' : 'read and write']]} />`
}
