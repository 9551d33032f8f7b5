// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Bundles the console: what the first view needs (app), the serial console (terminal), the display
// and uploads (tus), each with its style. `node ui/build.mjs NODE_MODULES OUT`.
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const [modules, out] = process.argv.slice(2).map(folder => path.resolve(folder))
const source = path.join(path.dirname(new URL(import.meta.url).pathname), 'src')
process.env.NODE_PATH = modules
const { buildSync } = createRequire(path.join(modules, 'x'))('esbuild')

rmSync(out, { recursive: true, force: true })
const build = (name, external = []) => buildSync({
  entryPoints: [path.join(source, `${name}.js`)],
  outdir: out,
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  charset: 'utf8',
  legalComments: 'none', // licences.txt has them
  external,
  nodePaths: [modules],
  logLevel: 'warning',
  metafile: true,
})
const built = [
  build('app', ['./terminal.js', './display.js', './tus.js']), // which it loads when they are wanted
  build('terminal'),
  build('display'), // noVNC has a display.js, too
  build('tus'),
]

// The packages whose files are in a bundle.
const inputs = built.flatMap(one => Object.keys(one.metafile.inputs))
const bundled = [...new Set(inputs.map(file => file.match(/.*node_modules\/((@[^/]+\/)?[^/]+)/)?.[1]).filter(Boolean))].sort()

// The licence of each package that is bundled, in full.
function licence(name) {
  const folder = path.join(modules, name)
  const { version, license, repository } = JSON.parse(readFileSync(path.join(folder, 'package.json')))
  const file = readdirSync(folder).find(one => /^licen[cs]e/i.test(one))
  const text = file ? readFileSync(path.join(folder, file), 'utf8').trim() : ''
  const from = repository?.url ?? repository ?? ''
  return `${name} ${version} (${license})\n${from}\n\n${text}\n`
}
const mozilla = readFileSync(path.join(modules, '@novnc/novnc/docs/LICENSE.MPL-2.0'), 'utf8')
writeFileSync(path.join(out, 'licences.txt'),
  [...bundled.map(licence), mozilla].join(`\n${'-'.repeat(72)}\n\n`))
