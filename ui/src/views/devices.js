// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A guest's disks and network interfaces, and what is done with them.
import { html, textOf, useEffect, useState } from '../html.js'
import { at, call, guestPath } from '../api.js'
import { BUSES, attachNic, attachVolume, detach, freeTarget, impactsOf, isDisk, isNic, setLink } from '../devices.js'
import { bytes } from '../figures.js'
import { Act, Dialog, Listing, Menu, Table, useRead } from '../parts.js'
import { ask, attempt, useStore } from '../store.js'
import { VolumeChoice } from './volume_choice.js'

const GIB = 2 ** 30
const MODELS = ['virtio', 'e1000e', 'e1000', 'rtl8139']

// The last that was heard of a guest: what is shown of it is read again then.
const useTurn = guest => useStore(s => s.events.find(one => one.domain?.uuid === guest.uuid && one.host === guest.host)?.id)
const useRefusal = guest => useStore(s => s.events.find(one => one.event === 'device-removal-failed' &&
  one.domain?.uuid === guest.uuid && one.host === guest.host)?.id)

/**
 * Detaches, and remembers what the guest was asked to let go of until it has, or says no.
 *
 * @param {import('../types').Guest} guest
 * @param {string[]} names what is there
 * @returns {[string[], (name: string, is: (device: any) => boolean, text: string) => Promise<void>]}
 */
function useDetach(guest, names) {
  const [asked, set] = useState(/** @type {string[]} */ ([])), refusal = useRefusal(guest)
  useEffect(() => set([]), [refusal])
  useEffect(() => set(old => old.filter(one => names.includes(one))), [names.join()])
  return [asked, async (name, is, text) => {
    if (!await ask(`Detach ${name} of ${guest.name}?`, text, 'Detach')) return
    await attempt(`${name} detached, or the guest is asked to let go of it`, async () => {
      if (await detach(guest, is)) set(old => [...old, name])
    })
  }]
}

// The first act is a button, the others are in a menu.
function Acts({ guest, name, asked, of: [likely, ...others] }) {
  if (asked) return html`<td class="acts muted">the guest is asked to let go of it</td>`
  const items = others.map(one => ({ ...one, off: one.off || guest.stale }))
  return html`<td class="acts"><${Act} needs=${likely.needs} disabled=${likely.off || guest.stale} title=${likely.why}
      onClick=${likely.run} aria-label="${likely.label} ${name}">${likely.label}<//>
    <${Menu} label="More for ${name}" items=${items} /></td>`
}

function Insert({ guest, disk, close }) {
  const submit = form => call('PUT', `${guestPath(guest)}/cdrom`, { body: { volume: textOf(form, 'volume'),
    target: disk.target, force: form.has('force'), flags: impactsOf(guest) } })
  return html`<${Dialog} title="A disc for ${disk.target}" label="Insert" submit=${submit} close=${close}
      done="Disc inserted into ${disk.target}"><${VolumeChoice} host=${guest.host} />
    <label><input type="checkbox" name="force" /> Even if the guest has locked the tray</label><//>`
}

function Resize({ guest, disk, close }) {
  const now = (disk.capacityBytes ?? 0) / GIB
  const submit = form => call('POST', `${guestPath(guest)}${at('disks', disk.target)}/resize`,
    { body: { size: Math.round(Number(form.get('size')) * 2 ** 20) * 1024 } })
  return html`<${Dialog} title="Resize ${disk.target}" label="Resize" submit=${submit} close=${close}
      done="${disk.target} resized"><label>Size in GiB <input name="size" type="number" step="any" required
      min=${now} value=${now} /></label><p><small>The guest has to make its file system larger, too.</small></p><//>`
}

function AttachDisk({ guest, disks, close }) {
  const [bus, set] = useState(BUSES[0])
  const submit = form => attachVolume(guest, textOf(form, 'volume'), bus, freeTarget(bus, disks))
  return html`<${Dialog} title="Attach a disk" label="Attach" submit=${submit} close=${close} done="Disk attached">
    <${VolumeChoice} host=${guest.host} /><label>Bus <select value=${bus}
      onChange=${event => set(event.target.value)}>${BUSES.map(one => html`<option key=${one}>${one}</option>`)}</select></label><//>`
}

/** @param {{ guest: import('../types').Guest }} props */
export function Disks({ guest }) {
  const turn = useTurn(guest)
  const listed = useRead(`${guestPath(guest)}/disks`, turn), sized = useRead(`${guestPath(guest)}/disks?view=full`, turn)
  const [dialog, open] = useState(/** @type {any} */ (null))
  const all = sized.data?.disks ?? [], sizeOf = disk => all.find(one => one.target === disk.target)?.capacityBytes
  const disks = listed.data?.disks ?? []
  const [asked, remove] = useDetach(guest, disks.map(one => one.target))
  const again = () => { listed.again(); sized.again() }
  const close = () => { open(null); again() }
  const runs = guest.state !== 'shutoff', changes = runs ? 'domain:write' : 'domain:save'
  const eject = async (disk, force) => {
    const text = 'The guest has locked the tray while it uses the disc.'
    if (force && !await ask(`Eject ${disk.target} of ${guest.name} by force?`, text, 'Eject')) return
    await attempt(`${disk.target} is empty`, () => call('DELETE', `${guestPath(guest)}/cdrom?${new URLSearchParams({
      target: disk.target, force: String(force), flags: impactsOf(guest).join() })}`))
    again()
  }
  const detachIt = disk => ({ label: 'Detach…', danger: true, needs: 'gateway:document',
    run: () => remove(disk.target, isDisk(disk.target), 'The guest loses it; what is on it stays.').then(again) })
  const insert = (disk, label) => ({ label, needs: changes, run: () => open({ as: Insert, disk }) })
  const actsOf = disk => (disk.device !== 'cdrom' && disk.device !== 'floppy'
    ? [{ label: 'Resize…', needs: 'domain:block_write', off: !runs, why: runs ? undefined : 'While the guest runs',
      run: () => open({ as: Resize, disk: { ...disk, capacityBytes: sizeOf(disk) } }) }, detachIt(disk)]
    : disk.device === 'floppy' ? [detachIt(disk)]
    : !disk.source ? [insert(disk, 'Insert…'), detachIt(disk)]
    : [{ label: 'Eject', needs: changes, run: () => eject(disk, false) }, insert(disk, 'Change the disc…'),
      { label: 'Eject by force…', danger: true, needs: changes, run: () => eject(disk, true) }, detachIt(disk)])
  return html`<p class="tools"><${Act} needs="gateway:document" disabled=${guest.stale || !listed.data}
      onClick=${() => open({ as: AttachDisk, disks })}>Attach a disk…<//></p>
    ${dialog && html`<${dialog.as} ...${dialog} guest=${guest} close=${close} />`}
    <${Listing} read=${listed} what="disks" list=${data => data.disks}>${rows => html`<${Table} label="Disks"
      head=${['Target', 'Kind', 'Source', '#Size', 'Mode', '']}>${rows.map(disk => html`<tr
      key=${disk.target}><td><b>${disk.target}</b> <small>${disk.bus}</small></td><td>${disk.device}</td>
      <td>${disk.source ?? html`<small>empty</small>`}${disk.pool && html` <small>in ${disk.pool}</small>`}${
        disk.backingChain?.length > 0 && html` <small>on ${disk.backingChain.length} below</small>`}</td>
      <td class="number">${bytes(sizeOf(disk))}</td><td>${disk.readOnly ? 'read-only' : 'read and write'}</td>
      <${Acts} guest=${guest} name=${disk.target} asked=${asked.includes(disk.target)} of=${actsOf(disk)} /></tr>`)}<//>`}<//>`
}

function AttachNic({ guest, close }) {
  const networks = useRead(`${at('hosts', guest.host)}/networks?state=active`)
  const submit = form => attachNic(guest, textOf(form, 'network'), textOf(form, 'model'))
  return html`<${Dialog} title="Attach a network interface" label="Attach" submit=${submit} close=${close}
      done="Network interface attached"><label>Network <select name="network" required>${networks.data?.networks.map(one => html`<option
      key=${one.name}>${one.name}</option>`)}</select></label>
    <label>Model <select name="model">${MODELS.map(one => html`<option key=${one}>${one}</option>`)}</select></label><//>`
}

/** @param {{ guest: import('../types').Guest }} props */
export function Nics({ guest }) {
  const turn = useTurn(guest)
  const read = useRead(`${guestPath(guest)}/interfaces`, turn)
  const { data } = useRead(guest.state === 'shutoff' ? null : `${guestPath(guest)}/addresses`, turn)
  const [attaches, open] = useState(false)
  const [asked, remove] = useDetach(guest, read.data?.interfaces.map(one => one.mac) ?? [])
  const addresses = mac => data?.interfaces?.filter(one => one.mac === mac)
    .flatMap(one => one.addresses.map(a => `${a.address}/${a.prefix}`)).join(', ')
  const actsOf = nic => [{ label: nic.linkUp ? 'Link down' : 'Link up', needs: 'gateway:document', run: async () => {
    await attempt(`Link of ${nic.mac} ${nic.linkUp ? 'down' : 'up'}`, () => setLink(guest, nic.mac, !nic.linkUp))
    read.again()
  } }, { label: 'Detach…', danger: true, needs: 'gateway:document', run: () => remove(nic.mac, isNic(nic.mac),
    'The guest loses this connection.').then(read.again) }]
  return html`<p class="tools"><${Act} needs="gateway:document" disabled=${guest.stale}
      onClick=${() => open(true)}>Attach a network interface…<//></p>
    ${attaches && html`<${AttachNic} guest=${guest} close=${() => { open(false); read.again() }} />`}
    <${Listing} read=${read} what="network interfaces" list=${all => all.interfaces}>${nics => html`<${Table}
      label="Network interfaces" head=${['MAC', 'Connected to', 'Device', 'Link', 'Addresses', '']}>${nics.map(nic => html`<tr
      key=${nic.mac}><td><b>${nic.mac}</b></td><td>${nic.source ?? '–'} <small>${nic.type}</small></td>
      <td>${nic.target ?? '–'} <small>${nic.model}</small></td><td>${nic.linkUp ? 'up' : 'down'}</td>
      <td>${addresses(nic.mac) || '–'}</td>
      <${Acts} guest=${guest} name=${nic.mac} asked=${asked.includes(nic.mac)} of=${actsOf(nic)} /></tr>`)}<//>`}<//>`
}
