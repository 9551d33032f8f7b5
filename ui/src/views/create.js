// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A new guest, by the short form: what it leaves open, the gateway decides.
import { html, useState } from '../html.js'
import { Problem, at, call, send } from '../api.js'
import { Act, Failure, State, Title, useRead } from '../parts.js'
import { say, useStore } from '../store.js'
import { VolumeChoice } from './volume_choice.js'

// A volume is the guest's disk, or an image that its disk is made of.
const USES = [['image', 'An image: the guest gets a disk of its own, made of it'], ['disk', 'The guest\'s disk itself']]

function FirstBoot() {
  return html`<fieldset><legend>First boot, of images with cloud-init</legend>
    <label>Host name <input name="hostname" autocomplete="off" pattern="[A-Za-z0-9]([A-Za-z0-9.\\-]*[A-Za-z0-9])?" /></label>
    <label>User <input name="user" autocomplete="off" /></label>
    <label>SSH keys, one a line <textarea name="keys" rows="3" spellcheck="false"
      placeholder="ssh-ed25519 AAAA…"></textarea></label></fieldset>`
}

function Disk({ host }) {
  const [use, choose] = useState('image')
  return html`<${VolumeChoice} host=${host} none="No disk" required=${false}>
    <label>Use it as <select name="use" value=${use} onChange=${event => choose(event.target.value)}>${USES.map(([name, text]) =>
      html`<option key=${name} value=${name}>${text}</option>`)}</select></label>
    ${use === 'image' && html`<label>Size of the disk in GiB <input name="size" type="number" min="1"
      placeholder="the image's own" /></label><${FirstBoot} />`}<//>`
}

const given = members => Object.fromEntries(Object.entries(members).filter(([, value]) => value?.length || value > 0))

function describe(form) {
  const text = name => form.get(name)?.trim() ?? ''
  const body = { name: text('name'), memoryMiB: Number(form.get('memory')), vcpus: Number(form.get('vcpus')),
                 graphics: form.has('display') ? 'vnc' : 'none', start: form.has('start') }
  if (text('title')) body.title = text('title')
  if (form.get('use') === 'disk') body.disks = [{ volume: form.get('volume') }]
  if (form.get('network')) body.network = form.get('network')
  if (form.get('use') !== 'image') return body
  body.image = given({ volume: form.get('volume'), sizeGiB: Number(form.get('size')) })
  const seed = given({ hostname: text('hostname'), user: text('user'),
                       sshKeys: text('keys').split('\n').map(line => line.trim()).filter(Boolean) })
  if (Object.keys(seed).length) body.cloudInit = seed
  if (body.start && body.network && form.has('wait')) body.waitForAddress = 120
  return body
}

const ENDED = ['succeeded', 'failed', 'cancelled', 'unknown']

// Long work is watched to its end: `show` is given the operation as it goes on.
async function create(host, body, show) {
  const answer = await send('POST', `${at('hosts', host)}/domains`, { body, headers: { Prefer: 'respond-async' } })
  if (answer.status !== 202) return (await answer.json()).uuid
  let operation = await answer.json()
  const path = at('hosts', host, 'operations', operation.id)
  while (!ENDED.includes(operation.state)) {
    await new Promise(done => setTimeout(done, 500))
    operation = await call('GET', path)
    show(operation)
  }
  if (operation.state === 'succeeded') return operation.result.uuid
  throw new Problem(operation.status, operation.error ?? { title: `The operation ended as ${operation.state}` })
}

const Steps = ({ operation }) => html`<ul class="steps" role="status" aria-label="Steps">${operation.steps?.map(one => html`<li
  key=${one.name}><${State} is=${one.state} /> ${one.name}</li>`)}</ul>`

export function Create() {
  const hosts = useStore(s => s.hosts)
  const [chosen, choose] = useState(null)
  const [problem, fail] = useState(null)
  const [busy, work] = useState(false)
  const [operation, show] = useState(null)
  const up = [...hosts.values()].filter(one => one.state === 'up').map(one => one.host)
  const host = chosen ?? up[0]
  const networks = useRead(host && `${at('hosts', host)}/networks?state=active`)
  const submit = async event => {
    event.preventDefault()
    const body = describe(new FormData(event.target))
    work(true)
    fail(null)
    try {
      const uuid = await create(host, body, show)
      say(`${body.name} created`)
      location.hash = `#${at('guest', host, uuid)}`
    } catch (why) {
      fail(why)
    }
    work(false)
  }
  return html`<${Title} text="Create a guest" /><form class="sheet" onSubmit=${submit}><div class="fields">
    <label>Name <input name="name" required pattern="[^/]+" autocomplete="off" /></label>
    <label>Title <input name="title" autocomplete="off" /></label>
    <label>Memory in MiB <input name="memory" type="number" min="1" value="1024" required /></label>
    <label>vCPUs <input name="vcpus" type="number" min="1" value="1" required /></label>
    ${up.length > 1 && html`<label>Host <select value=${host} onChange=${e => choose(e.target.value)}>${up.map(one => html`<option
      key=${one}>${one}</option>`)}</select></label>`}
    <label>Network <select name="network"><option value="">None</option>${networks.data?.networks.map(one => html`<option
      key=${one.name} selected=${one.name === 'default'}>${one.name}</option>`)}</select></label>
    ${host && html`<${Disk} key=${host} host=${host} />`}</div>
    <label><input type="checkbox" name="display" checked /> A display</label>
    <label><input type="checkbox" name="start" checked /> Start it</label>
    <label><input type="checkbox" name="wait" /> Wait for the address of one made of an image</label>
    ${operation && html`<${Steps} operation=${operation} />`}
    ${problem && html`<${Failure} problem=${problem} />`}
    <p class="acts"><${Act} type="submit" class="main" needs="domain:save" disabled=${busy || !host}>Create<//>
      <a class="button" href="#/guests">Cancel</a></p></form>`
}
