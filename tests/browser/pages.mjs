// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the tests of the console share: tokens, a page, what is seen on it, axe-core, pictures.
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { check, folder } from './harness.mjs'

export const MAY_ALL = 'a token of the admin', MAY_LOOK = 'a token that looks'
const axe = readFileSync(path.join(process.env.VG_NODE_MODULES, 'axe-core/axe.min.js'), 'utf8')

export function writeTokens() {
  const line = (name, role, token) =>
    `${name} ${role} ${createHash('sha256').update(token).digest('hex')}\n`
  const file = path.join(folder, 'tokens')
  writeFileSync(file, line('alice', 'admin', MAY_ALL) + line('bob', 'viewer', MAY_LOOK), { mode: 0o600 })
  return file
}

// A page whose errors and breaches of its policy are failures of the test.
export async function open(browser, gateway, { token, hash = '', ...options } = {}) {
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 860 }, ...options })).newPage()
  page.on('pageerror', error => check(false, 'an error in the page', error))
  page.on('console', message => {
    if (/Content Security Policy/.test(message.text())) check(false, 'against the policy', message.text())
  })
  page.setDefaultTimeout(60000)
  if (token) await page.addInitScript(value => sessionStorage.setItem('token', value), token)
  await page.goto(`${gateway.base}/ui/${hash}`)
  return page
}

export async function shoot(page, name) {
  if (process.env.VG_SHOTS) await page.screenshot({ path: path.join(process.env.VG_SHOTS, `${name}.png`) })
}

export const sees = (page, text, seconds = 60) => page.getByText(text).first()
  .waitFor({ timeout: 1000 * seconds }).then(() => true, () => false)

export async function checkAccess(page, view) {
  // the page's policy refuses scripts that are not its own: axe comes by the debugger
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => window.axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }))
  check(violations.length === 0, `axe-core: ${view}`,
    violations.map(one => `${one.id}: ${one.nodes.map(node => node.html.slice(0, 160)).slice(0, 3).join(' | ')}`).join('\n'))
}

export const row = (page, name) => page.getByRole('row').filter({ hasText: name })
export const tab = (page, name) => page.getByRole('navigation', { name: /About/ }).getByRole('link', { name }).click()
