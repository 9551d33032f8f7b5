// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A guest's definition as XML. It is saved only if nobody changed it meanwhile.
import { html, useEffect, useState } from '../html.js'
import { call, guestPath, send } from '../api.js'
import { Act, Failure, Loading } from '../parts.js'
import { may, say } from '../store.js'

const QUERY = '?flags=inactive'

export function Configuration({ guest }) {
  const path = `${guestPath(guest)}/xml${QUERY}`
  const [read, setRead] = useState({})
  const [text, setText] = useState('')
  const [problem, fail] = useState(null)
  const load = () => send('GET', path).then(async answer => {
    const xml = await answer.text()
    setRead({ xml, tag: answer.headers.get('ETag') })
    return xml
  })
  const begin = () => load().then(xml => { setText(xml); fail(null) }, fail)
  useEffect(() => { begin() }, [])
  const save = async () => {
    try {
      await call('PUT', `${guestPath(guest)}/xml`,
        { body: text, type: 'application/xml', headers: { 'If-Match': read.tag } })
      say(guest.state === 'shutoff' ? 'Saved' : 'Saved: it counts from the next start')
      begin()
    } catch (why) {
      fail(why)
      if (why.status === 412) load().catch(fail)
    }
  }
  if (read.xml === undefined) return problem ? html`<${Failure} problem=${problem} again=${begin} />` : html`<${Loading} what="the configuration" />`
  const conflict = problem?.status === 412
  return html`${conflict ? html`<div class="failure" role="alert"><p>Somebody changed this configuration while
        you edited it; nothing was saved.</p><div class="acts">
        <button type="button" onClick=${() => { setText(read.xml); fail(null) }}>Theirs</button>
        <button type="button" class="danger" onClick=${() => { fail(null); save() }}>Save mine over it</button></div>
        <details><summary>Theirs</summary><pre>${read.xml}</pre></details></div>`
      : problem && html`<${Failure} problem=${problem} />`}
    <textarea class="code" spellcheck="false" aria-label="Definition of ${guest.name} as XML" value=${text}
      readonly=${!may('domain:write')} onInput=${event => setText(event.target.value)}></textarea>
    <p class="acts"><${Act} class="main" needs="domain:save" disabled=${text === read.xml}
        onClick=${save}>Save<//><button type="button" disabled=${text === read.xml}
        onClick=${() => setText(read.xml)}>Undo</button>
      <small>What the guest is from its next start</small></p>`
}
