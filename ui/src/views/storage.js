// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Storage pools of all hosts, and one of them with its volumes.
import { html, textOf, useEffect, useState } from '../html.js'
import { at, call } from '../api.js'
import { bytes, when } from '../figures.js'
import { Act, Bar, Facts, Failure, Listing, Loading, State, Table, Title, useRead } from '../parts.js'
import { discard, unfinished, uploadFile } from '../resume.js'
import { ask, attempt, complain, may, say, useStore } from '../store.js'

const pathOf = pool => at('hosts', pool.host, 'storage-pools', pool.uuid)
const useTurn = () => useStore(s => s.events.find(one => /pool/i.test(one.object ?? ''))?.id)

const Use = ({ pool }) => {
  const part = pool.capacityBytes ? pool.allocationBytes / pool.capacityBytes : 0
  return html`<${Bar} part=${part} />${bytes(pool.allocationBytes)} of ${bytes(pool.capacityBytes)}`
}

async function toggle(pool, again) {
  const text = 'Its volumes are out of reach until it is started; what guests have open goes on.'
  if (pool.active && !await ask(`Stop pool ${pool.name}?`, text, 'Stop')) return
  await attempt(`${pool.name} ${pool.active ? 'stopped' : 'started'}`,
    () => call('POST', `${pathOf(pool)}/${pool.active ? 'destroy' : 'start'}`))
  again()
}

const Toggle = ({ pool, again }) => html`<${Act} needs=${pool.active ? 'storage_pool:stop' : 'storage_pool:start'}
  onClick=${() => toggle(pool, again)} aria-label="${pool.active ? 'Stop' : 'Start'} ${pool.name}">${
  pool.active ? 'Stop' : 'Start'}<//>`

export function Pools() {
  const read = useRead('/hosts/-/storage-pools?view=full', useTurn())
  return html`<${Title} text="Storage" /><${Listing} read=${read} what="storage pools" none="No storage pools yet"
    list=${data => data.storagePools}>${rows => html`<${Table} label="Storage pools"
    head=${['Name', 'State', 'Host', 'Type', 'Used', '']}>${rows.map(pool => html`<tr key=${pool.host + pool.uuid}>
      <td class="name"><a href="#${at('pool', pool.host, pool.uuid)}">${pool.name}</a></td>
      <td><${State} is=${pool.state} /></td><td class="muted">${pool.host}</td><td>${pool.type}</td>
      <td>${pool.active ? html`<${Use} pool=${pool} />` : '–'}</td>
      <td class="acts"><${Toggle} pool=${pool} again=${read.again} /></td></tr>`)}<//>`}<//>`
}

function NewVolume({ pool, done }) {
  const submit = async event => {
    event.preventDefault()
    const target = event.target, form = new FormData(target), name = textOf(form, 'name')
    const made = await attempt(`${name} created`, () => call('POST', `${pathOf(pool)}/volumes`, { body: {
      name, capacityBytes: Math.round(Number(form.get('size')) * 2 ** 30), format: textOf(form, 'format') } }))
    if (made) target.reset()
    done()
  }
  return html`<form class="tools" onSubmit=${submit}><input name="name" required aria-label="Name of the volume"
      placeholder="Name" /><input name="size" type="number" min="0.001" step="any" required aria-label="Size in GiB"
      placeholder="GiB" /><select name="format" aria-label="Format"><option>qcow2</option><option>raw</option></select>
    <${Act} type="submit" needs="storage_vol:create">Create a volume<//></form>`
}

// What has not come to its end, of an earlier page or another browser.
function Unfinished({ pool, turn, done }) {
  const [rows, set] = useState([])
  useEffect(() => {
    let timer
    // one that a page left a moment ago may still seem to be sent; a host may be slow to answer
    const look = async () => {
      const all = await unfinished(pool.host, pool.name).catch(() => null)
      if (timer === null) return
      if (all) set(all.filter(one => one.state === 'waiting'))
      if (!all || all.some(one => one.state === 'receiving')) timer = setTimeout(look, 2000)
    }
    look()
    return () => { clearTimeout(timer); timer = null }
  }, [pool.uuid, turn])
  const remove = async one => {
    if (!await ask(`Discard ${one.volume}?`, 'What has arrived of it is lost.', 'Discard')) return
    await attempt(`${one.volume} discarded`, () => discard(one.path))
    done()
  }
  return rows.map(one => html`<p class="acts" key=${one.id}><span><b>${one.volume}</b>: ${bytes(one.offsetBytes)} of ${
      bytes(one.lengthBytes)} have arrived. Choose the same file to go on.</span>
    <${Act} class="danger" needs="storage_vol:delete" onClick=${() => remove(one)}
      aria-label="Discard ${one.volume}">Discard<//></p>`)
}

// A file of the user's becomes a volume.
function Upload({ pool, done }) {
  const [job, set] = useState(null)
  const [turn, next] = useState(0)
  const start = async event => {
    const [file] = event.target.files
    event.target.value = ''
    const show = what => set(old => ({ ...old, name: file.name, size: file.size, ...what }))
    const { done: ended, cancel } = uploadFile(pool.host, pool.name, file,
      { progress: sent => show({ sent, waits: false }), waits: () => show({ waits: true }) })
    show({ sent: 0, waits: false, cancel })
    try {
      say(`${file.name} ${await ended ? 'uploaded' : 'discarded'}`)
    } catch (problem) {
      complain(`Upload of ${file.name}`, problem)
    }
    set(null)
    next(n => n + 1)
    done()
  }
  if (job) {
    return html`<p class="acts" role="status"><b>${job.name}</b><progress aria-label="Uploaded"
      value=${job.sent} max=${job.size}></progress><span>${bytes(job.sent)} of ${bytes(job.size)}${
      job.waits ? ', cut off; it goes on by itself' : ''}</span>
      <button type="button" onClick=${job.cancel}>Cancel</button></p>`
  }
  return html`<p><label>Upload a file <input type="file" disabled=${!may('storage_vol:data_write')}
      onChange=${start} /></label></p>
    <${Unfinished} pool=${pool} turn=${turn} done=${() => { next(n => n + 1); done() }} />`
}

function Volumes({ pool, volumes, again }) {
  const remove = async volume => {
    if (!await ask(`Delete ${volume.name}?`, 'All that is in it is lost.', 'Delete')) return
    await attempt(`${volume.name} deleted`, () => call('DELETE', `${pathOf(pool)}${at('volumes', volume.name)}`))
    again()
  }
  return html`<${Table} label="Volumes" head=${['Name', 'Format', '#Size', '#Allocated', 'Path', '']}>
    ${volumes.map(volume => html`<tr key=${volume.key}><td class="name"><b>${volume.name}</b></td>
      <td>${volume.format ?? '–'}</td><td class="number">${bytes(volume.capacityBytes)}</td>
      <td class="number">${bytes(volume.allocationBytes)}</td><td class="muted">${volume.path}</td>
      <td class="acts"><${Act} class="danger" needs="storage_vol:delete" onClick=${() => remove(volume)}
        aria-label="Delete ${volume.name}">Delete<//></td></tr>`)}<//>`
}

export function Pool({ path: [host, uuid] }) {
  const path = at('hosts', host, 'storage-pools', uuid), turn = useTurn()
  const read = useRead(path, turn)
  const volumes = useRead(read.data?.active ? `${path}/volumes?view=full` : null, turn)
  const features = useStore(s => s.features)
  if (!read.data) {
    return html`<${Title} text="Storage pool" />${read.problem ? html`<${Failure} problem=${read.problem} again=${read.again} />`
      : html`<${Loading} what="the pool" />`}`
  }
  const pool = { ...read.data, host }
  const again = () => { read.again(); volumes.again() }
  return html`<${Title} text=${pool.name}><${State} is=${pool.state} /><${Toggle} pool=${pool} again=${again} /><//>
    ${pool.failure && html`<div class="failure" role="alert"><p>${pool.failure.message}</p>
      <small>${pool.failure.operation}, ${when(pool.failure.time)}</small></div>`}
    <${Facts} of=${[['Host', host], ['UUID', uuid], ['Type', pool.type], ['Path', pool.path],
      ['Used', html`<${Use} pool=${pool} />`], ['Starts with host', pool.autostart ? 'yes' : 'no']]} />
    ${pool.active && html`<h2>Volumes</h2><${NewVolume} pool=${pool} done=${again} />
      ${features.includes('volume-content') && html`<${Upload} pool=${pool} done=${again} />`}
      <${Listing} read=${volumes} what="volumes" none="No volumes yet" list=${data => data.volumes}>${rows => html`<${Volumes}
        pool=${pool} volumes=${rows} again=${again} />`}<//>`}`
}
