// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A new guest, by the short form: what it leaves open, the gateway decides.
import { html, useState } from '../html.js'
import { at, call } from '../api.js'
import { Act, Failure, Title, useRead } from '../parts.js'
import { say, useStore } from '../store.js'

function Volumes({ host }) {
  const pools = useRead(`${at('hosts', host)}/storage-pools?active=true`)
  const [pool, set] = useState('')
  const volumes = useRead(pool && `${at('hosts', host, 'storage-pools', pool)}/volumes`)
  return html`<label>Storage pool <select value=${pool} onChange=${event => set(event.target.value)}>
      <option value="">No disk</option>${pools.data?.storagePools.map(one => html`<option key=${one.name}
        value=${one.name}>${one.name}</option>`)}</select></label>
    ${pool && html`<label>Volume <select name="volume" required>${volumes.data?.volumes.map(one => html`<option
      key=${one.key} value=${JSON.stringify({ pool, volume: one.name })}>${one.name}</option>`)}</select></label>`}`
}

function describe(form) {
  const body = { name: form.get('name').trim(), memoryMiB: Number(form.get('memory')), vcpus: Number(form.get('vcpus')),
                 graphics: form.has('display') ? 'vnc' : 'none' }
  if (form.get('title')) body.title = form.get('title')
  if (form.get('volume')) body.disks = [JSON.parse(form.get('volume'))]
  if (form.get('network')) body.interfaces = [{ network: form.get('network') }]
  return body
}

export function Create() {
  const hosts = useStore(s => s.hosts)
  const [chosen, choose] = useState(null)
  const [problem, fail] = useState(null)
  const [busy, work] = useState(false)
  const up = [...hosts.values()].filter(one => one.state === 'up').map(one => one.host)
  const host = chosen ?? up[0]
  const networks = useRead(host && `${at('hosts', host)}/networks?active=true`)
  const submit = async event => {
    event.preventDefault()
    const form = new FormData(event.target)
    work(true)
    try {
      const guest = await call('POST', `${at('hosts', host)}/domains${form.has('start') ? '?start=true' : ''}`,
        { body: describe(form) })
      say(`${guest.name} created`)
      location.hash = `#${at('guest', host, guest.uuid)}`
    } catch (why) {
      fail(why)
    }
    work(false)
  }
  return html`<${Title} text="Create a guest" /><form class="sheet" onSubmit=${submit}>
    ${up.length > 1 && html`<label>Host <select value=${host} onChange=${e => choose(e.target.value)}>${up.map(one => html`<option
      key=${one}>${one}</option>`)}</select></label>`}
    <label>Name <input name="name" required pattern="[^/]+" autocomplete="off" /></label>
    <label>Title <input name="title" autocomplete="off" /></label>
    <label>Memory in MiB <input name="memory" type="number" min="1" value="1024" required /></label>
    <label>vCPUs <input name="vcpus" type="number" min="1" value="1" required /></label>
    ${host && html`<${Volumes} key=${host} host=${host} />`}
    <label>Network <select name="network"><option value="">None</option>${networks.data?.networks.map(one => html`<option
      key=${one.name}>${one.name}</option>`)}</select></label>
    <label><input type="checkbox" name="display" checked /> A display</label>
    <label><input type="checkbox" name="start" checked /> Start it</label>
    ${problem && html`<${Failure} problem=${problem} />`}
    <p class="acts"><${Act} type="submit" class="main" needs="domain:save" disabled=${busy || !host}>Create<//>
      <a class="button" href="#/guests">Cancel</a></p></form>`
}
