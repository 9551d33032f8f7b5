// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A guest's definition, as a form or as XML. It is saved only if nobody changed it meanwhile.
import { html, useEffect, useState } from '../html.js'
import { guestPath, send } from '../api.js'
import { Act, Failure, Loading } from '../parts.js'
import { may, say } from '../store.js'
import { Form } from './form.js'

// Lines of two texts, by their longest common subsequence: [sign, line], sign '-', '+' or ' '.
export function difference(before, after) {
  const a = before.split('\n'), b = after.split('\n')
  const same = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1))
  for (let i = a.length - 1; i >= 0; i--) {
    for (let k = b.length - 1; k >= 0; k--) {
      same[i][k] = a[i] === b[k] ? same[i + 1][k + 1] + 1 : Math.max(same[i + 1][k], same[i][k + 1])
    }
  }
  const lines = []
  for (let i = 0, k = 0; i < a.length || k < b.length;) {
    if (i < a.length && k < b.length && a[i] === b[k]) { lines.push([' ', a[i++]]); k++ }
    else if (k === b.length || (i < a.length && same[i + 1][k] >= same[i][k + 1])) lines.push(['-', a[i++]])
    else lines.push(['+', b[k++]])
  }
  return lines
}

const Changes = ({ before, after }) => html`<pre class="changes">${difference(before, after)
  .filter(([sign]) => sign !== ' ').map(([sign, line]) => html`<span class=${sign === '+' ? 'good' : 'bad'}>${sign} ${line}${'\n'}</span>`)}</pre>`

// The editor is given one of three texts; whichever it is, it is saved over theirs.
function Conflict({ began, theirs, mine, text, take }) {
  const choices = [['Theirs', theirs], ['Mine', mine], ['As I began', began]]
  return html`<div class="failure" role="alert"><p>Somebody changed this configuration while you edited it; nothing was
      saved. Choose what to go on with, and save again.</p>
    <div class="acts">${choices.map(([label, one]) => html`<button key=${label} type="button" aria-pressed=${text === one}
      onClick=${() => take(one)}>${label}</button>`)}</div>
    <details><summary>What they changed</summary><${Changes} before=${began} after=${theirs} /></details>
    <details><summary>What I changed</summary><${Changes} before=${began} after=${mine} /></details></div>`
}

/** @param {{ guest: import('../types').Guest }} props */
function Editor({ guest }) {
  const path = `${guestPath(guest)}/xml`
  const [read, setRead] = useState(/** @type {{ xml?: string, tag?: string }} */ ({}))
  const [conflict, setConflict] = useState(/** @type {any} */ (null))
  const [text, setText] = useState('')
  const [problem, fail] = useState(/** @type {any} */ (null))
  const load = () => send('GET', `${path}?flags=inactive`).then(async answer => {
    const xml = await answer.text()
    setRead({ xml, tag: answer.headers.get('ETag') })
    return xml
  })
  const begin = () => load().then(xml => { setText(xml); setConflict(null); fail(null) }, fail)
  useEffect(() => { begin() }, [])
  const save = async () => {
    fail(null)
    try {
      await send('PUT', path, { body: text, type: 'application/xml', headers: { 'If-Match': read.tag } })
      say(guest.state === 'shutoff' ? 'Saved' : 'Saved: it counts from the next start')
      begin()
    } catch (why) {
      if (why.status !== 412) return fail(why)
      const began = conflict?.began ?? read.xml
      await load().then(theirs => setConflict({ began, theirs, mine: text }), fail)
    }
    return undefined
  }
  if (read.xml === undefined) return problem ? html`<${Failure} problem=${problem} again=${begin} />` : html`<${Loading} what="the configuration" />`
  return html`${conflict && html`<${Conflict} ...${conflict} text=${text} take=${setText} />`}
    ${problem && html`<${Failure} problem=${problem} />`}
    <textarea class="code" spellcheck="false" aria-label="Definition of ${guest.name} as XML" value=${text}
      readonly=${!may('gateway:document')} onInput=${event => setText(event.target.value)}></textarea>
    <p class="acts under"><${Act} class="main" needs="gateway:document" disabled=${text === read.xml}
        onClick=${save}>Save<//><button type="button" disabled=${text === read.xml && !conflict}
        onClick=${() => { setText(read.xml); setConflict(null); fail(null) }}>Undo</button>
      <small>It counts from the next start.</small></p>`
}

/** @param {{ guest: import('../types').Guest }} props */
export function Configuration({ guest }) {
  const [as, set] = useState('form')
  return html`<div class="tools" role="group" aria-label="Edit as">${[['form', 'Form'], ['xml', 'XML']].map(([name, label]) => html`<button
      key=${name} type="button" class="choice" aria-pressed=${as === name} onClick=${() => set(name)}>${label}</button>`)}</div>
    ${as === 'form' ? html`<${Form} guest=${guest} />` : html`<${Editor} guest=${guest} />`}`
}
