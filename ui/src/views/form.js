// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is changed most of a guest's definition, as a form. Only what was changed is sent (PATCH), with
// the tag of what was read: where somebody was faster, each difference is a choice of three.
import { html, useEffect, useState } from '../html.js'
import { call, guestPath, send } from '../api.js'
import { Act, Failure, Loading } from '../parts.js'
import { may, say } from '../store.js'

// An element is its text, or an object that has attributes, too.
const textOf = element => String((element?.['#text'] ?? (typeof element === 'object' ? '' : element)) || '')
const withText = (element, text) => (element && typeof element === 'object' ? { '#text': text } : text)

const KIB = { b: 1 / 1024, bytes: 1 / 1024, KB: 1000 / 1024, k: 1, KiB: 1, MB: 1e6 / 1024, M: 1024, MiB: 1024,
              GB: 1e9 / 1024, G: 2 ** 20, GiB: 2 ** 20, TB: 1e12 / 1024, T: 2 ** 30, TiB: 2 ** 30 }
const inMiB = element => {
  const kib = Number(textOf(element)) * (KIB[element?.['@unit'] ?? 'KiB'] ?? 1)
  return kib ? String(Math.round(kib / 10.24) / 100) : ''
}
const fromMiB = text => ({ '@unit': 'KiB', '#text': String(Math.round(Number(text) * 1024)) })

const plain = name => ({ read: d => textOf(d[name]), write: (text, d) => ({ [name]: text ? withText(d[name], text) : null }) })
const memory = name => ({ type: 'number', read: d => inMiB(d[name]), write: text => ({ [name]: fromMiB(text) }) })
const ENDS = [['destroy', 'Switch it off'], ['restart', 'Start it again'], ['preserve', 'Leave it for a look at it']]
const SOURCES = [['hd', 'Its disk'], ['cdrom', 'Its CD-ROM'], ['network', 'The network'], ['fd', 'A floppy disk']]

const FIELDS = [
  { name: 'title', label: 'Title', ...plain('title') },
  { name: 'description', label: 'Description', type: 'textarea', ...plain('description') },
  { name: 'memory', label: 'Memory in MiB', required: true, ...memory('memory') },
  { name: 'currentMemory', label: 'Of which it has at its start, in MiB', required: true, ...memory('currentMemory') },
  { name: 'vcpus', label: 'vCPUs', type: 'number', step: '1', required: true, read: d => textOf(d.vcpu),
    write: (text, d) => ({ vcpu: withText(d.vcpu, text) }) },
  { name: 'boot', label: 'Starts from', options: SOURCES, when: d => d.os?.boot?.length > 0,
    read: d => d.os?.boot?.[0]['@dev'] ?? '',
    write: (text, d) => ({ os: { boot: [{ '@dev': text }, ...d.os.boot.filter(one => one['@dev'] !== text)] } }) },
  { name: 'reboot', label: 'When it reboots', options: ENDS.slice(0, 2), ...plain('on_reboot') },
  { name: 'crash', label: 'When it crashes', options: ENDS, ...plain('on_crash') },
]

const valuesOf = domain => Object.fromEntries(FIELDS.map(one => [one.name, one.read(domain)]))
const shown = (field, value) => field.options?.find(([key]) => key === value)?.[1] ?? (value || '–')

// Objects of the fields are of different elements, but for those of <os>.
const patchOf = (domain, fields, values) => Object.assign({}, ...fields.map(one => one.write(values[one.name], domain)))

function Field({ field, value, set, off }) {
  const common = { name: field.name, required: field.required, disabled: off, onInput: event => set(event.target.value) }
  return html`<label>${field.label} ${field.options ? html`<select ...${common} value=${value}>${[...field.options,
      ...(field.options.some(([key]) => key === value) ? [] : [[value, value || '–']])].map(([key, text]) => html`<option
      key=${key} value=${key}>${text}</option>`)}</select>`
    : field.type === 'textarea' ? html`<textarea ...${common} rows="3" value=${value}></textarea>`
    : html`<input ...${common} type=${field.type ?? 'text'} min="1" step=${field.step ?? 'any'} autocomplete="off" value=${value} />`}</label>`
}

const SIDES = [['began', 'As I began'], ['theirs', 'Theirs'], ['mine', 'Mine']]

// What differs among what there was, what somebody saved, and what is in the form.
function Merge({ sides, picked, pick }) {
  const differ = FIELDS.filter(one => SIDES.some(([side]) => sides[side][one.name] !== sides.began[one.name]))
  return html`<div class="failure" role="alert"><p>Somebody changed this configuration while you edited it; nothing
      was saved. Choose what is to stay, and save again.</p></div>
    <div class="scroll merge"><table><thead><tr><th scope="col">What</th>${SIDES.map(([side, label]) => html`<th
      key=${side} scope="col">${label}</th>`)}</tr></thead><tbody>${differ.map(field => html`<tr key=${field.name}>
      <th scope="row">${field.label}</th>${SIDES.map(([side, label]) => html`<td key=${side}><label><input type="radio"
        name="of-${field.name}" checked=${picked[field.name] === side} onChange=${() => pick(field.name, side)}
        aria-label="${field.label}: ${label}, ${shown(field, sides[side][field.name])}" />
        ${shown(field, sides[side][field.name])}</label></td>`)}</tr>`)}</tbody></table></div>`
}

// Who alone changed it is taken; where both did, nobody is.
const firstPick = sides => Object.fromEntries(FIELDS.map(({ name }) => [name,
  sides.mine[name] === sides.theirs[name] || sides.mine[name] === sides.began[name] ? 'theirs'
    : sides.theirs[name] === sides.began[name] ? 'mine' : null]))

/** @param {{ guest: import('../types').Guest }} props */
export function Form({ guest }) {
  const [read, setRead] = useState(/** @type {any} */ (null))
  const [values, setValues] = useState(/** @type {any} */ (null))
  const [conflict, setConflict] = useState(/** @type {any} */ (null))
  const [problem, fail] = useState(/** @type {any} */ (null))
  const load = async () => {
    const answer = await send('GET', `${guestPath(guest)}?view=config&flags=inactive`)
    const { domain } = await answer.json()
    return { domain, tag: answer.headers.get('ETag'), values: valuesOf(domain) }
  }
  const begin = () => load().then(now => {
    setRead(now)
    setValues(now.values)
    setConflict(null)
    fail(null)
  }, fail)
  const changed = read ? FIELDS.filter(one => values[one.name] !== read.values[one.name]) : []
  const { type, time } = guest.lastEvent ?? {}
  useEffect(() => { if (!changed.length) begin() }, [type === 'defined' ? time : '']) // by somebody else, too
  const submit = async event => {
    event.preventDefault()
    fail(null)
    try {
      await call('PATCH', guestPath(guest), { body: { domain: patchOf(read.domain, changed, values) },
        headers: { 'If-Match': read.tag } })
      say(guest.state === 'shutoff' ? 'Saved' : 'Saved: it counts from the next start')
      begin()
    } catch (why) {
      if (why.status !== 412) return fail(why)
      const now = await load().catch(fail)
      if (!now) return undefined
      const sides = { began: conflict?.sides.began ?? read.values, theirs: now.values, mine: values }
      const picked = firstPick(sides)
      setConflict({ sides, picked })
      setValues(Object.fromEntries(FIELDS.map(({ name }) => [name, sides[picked[name] ?? 'mine'][name]])))
      setRead(now)
    }
    return undefined
  }
  const pick = (name, side) => {
    setConflict({ ...conflict, picked: { ...conflict.picked, [name]: side } })
    setValues({ ...values, [name]: conflict.sides[side][name] })
  }
  if (!read) return problem ? html`<${Failure} problem=${problem} again=${begin} />` : html`<${Loading} what="the configuration" />`
  const open = conflict && FIELDS.some(one => conflict.picked[one.name] === null)
  const off = !may('gateway:document') || guest.stale
  return html`<form class="sheet" aria-label="Configuration of ${guest.name}" onSubmit=${submit}>
    ${conflict && html`<${Merge} sides=${conflict.sides} picked=${conflict.picked} pick=${pick} />`}
    ${problem && html`<${Failure} problem=${problem} />`}
    <div class="fields">${FIELDS.filter(one => !one.when || one.when(read.domain)).map(field => html`<${Field} key=${field.name}
      field=${field} value=${values[field.name]} off=${off}
      set=${value => setValues({ ...values, [field.name]: value })} />`)}</div>
    <p class="acts"><${Act} type="submit" class="main" needs="gateway:document" disabled=${!changed.length || open || off}>Save<//>
      <button type="button" disabled=${!changed.length && !conflict} onClick=${begin}>Undo</button>
      <small>${open ? 'Both changed the same: choose above.' : 'It counts from the next start.'}</small></p></form>`
}
