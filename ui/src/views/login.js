// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who has no token, or none that is accepted.
import { hasToken, setToken } from '../api.js'
import { html, textOf, useEffect, useRef } from '../html.js'
import { change } from '../store.js'
import { begin } from '../watch.js'

export function Login({ why }) {
  const field = useRef()
  useEffect(() => { document.title = 'Log in · virtgate'; field.current.focus() }, [])
  const submit = event => {
    event.preventDefault()
    const form = new FormData(event.target)
    setToken(textOf(form, 'token'), form.has('keep'))
    change({ login: null, guests: null })
    begin().catch(() => {})
  }
  return html`<main class="login"><form onSubmit=${submit}><h1>virtgate</h1>
    <p role=${why || hasToken() ? 'alert' : undefined}>${why || (hasToken()
      ? 'This token is not accepted.' : 'This gateway wants a token.')}</p>
    <label>Token <input ref=${field} name="token" type="password" required
      autocomplete="current-password" /></label>
    <label class="tick"><input type="checkbox" name="keep" /> Stay logged in on this device</label>
    <button class="main">Log in</button></form></main>`
}
