#!/usr/bin/env node
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The console's disks and network interfaces of a guest, as a person changes them: of a real guest that is off, that
// runs, and whose kernel lets go of what is detached. What libvirt has then is asked of the gateway.
import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Gateway, check, folder, launch, removeFolder, report, root, until } from './harness.mjs'
import { MAY_ALL, MAY_LOOK, checkAccess, open, row, sees, shoot, tab, writeTokens } from './pages.mjs'

const MIB = 2 ** 20, MAC = '52:54:00:00:00:07'
const HOST = '/hosts/kvm1', GUEST = `${HOST}/domains/parts`
const guest = `<domain type='qemu'><name>parts</name><memory unit='MiB'>96</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type><kernel>${folder}/vmlinuz</kernel><initrd>${folder}/initrd</initrd>
<cmdline>console=ttyS0 rdinit=/bin/sh</cmdline></os><features><acpi/></features>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='none'/>
<disk type='file' device='cdrom'><target dev='hda' bus='ide'/><readonly/></disk>
<interface type='user'><mac address='${MAC}'/><model type='virtio'/></interface>
<serial type='file'><source path='${folder}/serial'/></serial></devices></domain>`
const network = "<network><name>parts-net</name><bridge name='vgparts0'/></network>"

let gateway
const send = (method, target, body, type) => gateway.send(method, target, MAY_ALL, body, type)
const read = async target => (await send('GET', target)).json()
const make = async (target, body, type) => {
  const answer = await send('POST', target, body, type)
  check(answer.status < 300, `POST ${target}`, await answer.text())
}
// Until what libvirt has is as wanted.
const becomes = async (what, target, wanted, seconds = 60) => check(await until(async () => wanted(await read(target)), seconds),
  what, JSON.stringify(await read(target)))
const disk = target => ({ disks }) => disks.find(one => one.target === target)
const nic = mac => ({ interfaces }) => interfaces.find(one => one.mac === mac)

const button = (page, name) => page.getByRole('button', { name, exact: true })
const dialog = page => page.getByRole('dialog')
const more = async (page, of, what) => {
  await button(page, `More for ${of}`).click()
  await page.getByRole('button', { name: what, exact: true }).click()
}
const agree = (page, label) => dialog(page).getByRole('button', { name: label, exact: true }).click()
const choose = async (page, volume) => {
  await dialog(page).getByLabel('Storage pool').selectOption('parts')
  await dialog(page).getByLabel('Volume').selectOption(`parts/${volume}`)
}

async function testOff(page) {
  await tab(page, 'Disks')
  await button(page, 'Insert… hda').click()
  await checkAccess(page, 'a dialog')
  await choose(page, 'a.iso')
  await agree(page, 'Insert')
  check(await sees(page, 'Disc inserted into hda'), 'a disc is inserted', await page.locator('main').innerText())
  await becomes('into the drive of a guest that is off', `${GUEST}/disks`, all => /a\.iso/.test(disk('hda')(all).source))
  await button(page, 'Attach a disk…').click()
  await choose(page, 'data.qcow2')
  await agree(page, 'Attach')
  check(await row(page, 'vda').waitFor().then(() => true, () => false), 'a disk is attached')
  await becomes('in its format', `${GUEST}/disks`, all => disk('vda')(all)?.format === 'qcow2')
  check(await button(page, 'Resize… vda').isDisabled(), 'of a guest that is off it keeps its size')
  await more(page, 'vda', 'Detach…')
  await agree(page, 'Detach')
  check(await row(page, 'vda').waitFor({ state: 'detached' }).then(() => true, () => false), 'and is detached')
  check(!disk('vda')(await read(`${GUEST}/disks`)), 'a definition lets go at once')
}

async function testDisc(page) {
  await button(page, 'Eject hda').click()
  check(await button(page, 'Insert… hda').waitFor().then(() => true, () => false), 'a disc is ejected')
  await becomes('of the running guest', `${GUEST}/disks`, all => !disk('hda')(all).source)
  await becomes('and of its definition', `${GUEST}/disks?flags=inactive`, all => !disk('hda')(all).source)
  await button(page, 'Insert… hda').click()
  await choose(page, 'a.iso')
  await agree(page, 'Insert')
  await button(page, 'Eject hda').waitFor()
  await more(page, 'hda', 'Change the disc…')
  await choose(page, 'b.iso')
  await agree(page, 'Insert')
  await becomes('it is changed', `${GUEST}/disks`, all => /b\.iso/.test(disk('hda')(all).source))
  await more(page, 'hda', 'Eject by force…')
  await agree(page, 'Eject')
  await becomes('and ejected by force', `${GUEST}/disks`, all => !disk('hda')(all).source)
}

async function testDisk(page) {
  await button(page, 'Attach a disk…').click()
  await choose(page, 'data.qcow2')
  await agree(page, 'Attach')
  check(await row(page, 'vda').getByText('16.0 MiB').or(row(page, 'vda').getByText('16 MiB')).waitFor().then(() => true, () => false),
    'a disk of a running guest, with its size', await page.locator('main').innerText())
  check(disk('vda')(await read(`${GUEST}/disks?flags=inactive`)), 'in its definition, too')
  await button(page, 'Attach a disk…').click()
  await choose(page, 'data.qcow2')
  await dialog(page).getByLabel('Bus').selectOption('sata')
  await agree(page, 'Attach')
  check(await dialog(page).getByRole('alert').waitFor().then(() => true, () => false), 'what libvirt refuses stands at the form')
  await checkAccess(page, 'a dialog with a failure')
  await page.keyboard.press('Escape')
  check(await until(async () => await dialog(page).count() === 0), 'which is given up')
  await button(page, 'Resize… vda').click()
  await dialog(page).getByLabel('Size in GiB').fill('0.03125')
  await agree(page, 'Resize')
  await becomes('a disk is resized', `${GUEST}/disks/vda`, one => one.capacityBytes === 32 * MIB)
  check(await row(page, 'vda').getByText(/^32/).waitFor().then(() => true, () => false), 'which is shown')
  await checkAccess(page, 'disks')
  await shoot(page, 'disks')
  await more(page, 'vda', 'Detach…')
  await agree(page, 'Detach')
  check(await row(page, 'vda').waitFor({ state: 'detached', timeout: 60000 }).then(() => true, () => false),
    'the guest lets go of a disk', await page.locator('main').innerText())
  check(!disk('vda')(await read(`${GUEST}/disks?flags=inactive`)), 'and so does its definition')
}

async function testNetwork(page) {
  await tab(page, 'Network')
  await button(page, `Link down ${MAC}`).click()
  await button(page, `Link up ${MAC}`).waitFor()
  await becomes('a link is down', `${GUEST}/interfaces`, all => !nic(MAC)(all).linkUp)
  await becomes('also from the next start', `${GUEST}/interfaces?flags=inactive`, all => !nic(MAC)(all).linkUp)
  await button(page, `Link up ${MAC}`).click()
  await button(page, `Link down ${MAC}`).waitFor()
  await becomes('and up', `${GUEST}/interfaces`, all => nic(MAC)(all).linkUp)
  await button(page, 'Attach a network interface…').click()
  await dialog(page).getByLabel('Network').selectOption('parts-net')
  await checkAccess(page, 'an interface to attach')
  await agree(page, 'Attach')
  check(await row(page, 'parts-net').waitFor().then(() => true, () => false), 'an interface is attached')
  const { mac } = (await read(`${GUEST}/interfaces`)).interfaces.find(one => one.source === 'parts-net')
  check(nic(mac)(await read(`${GUEST}/interfaces?flags=inactive`))?.source === 'parts-net', 'in its definition under the same address')
  await checkAccess(page, 'interfaces')
  await more(page, mac, 'Detach…')
  await agree(page, 'Detach')
  check(await row(page, mac).waitFor({ state: 'detached', timeout: 60000 }).then(() => true, () => false),
    'the guest lets go of an interface', await page.locator('main').innerText())
  check(!nic(mac)(await read(`${GUEST}/interfaces?flags=inactive`)), 'and so does its definition')
}

async function testViewer(browser, hash) {
  const page = await open(browser, gateway, { token: MAY_LOOK, hash })
  for (const name of ['Attach a disk…', 'Insert… hda']) {
    await button(page, name).waitFor()
    check(/no right/.test(await button(page, name).getAttribute('title')), `a viewer: ${name}`)
  }
  await page.context().close()
}

async function testDelete(page) {
  await send('POST', `${GUEST}/destroy`)
  await button(page, 'Start').waitFor()
  await more(page, 'parts', 'Delete…')
  await agree(page, 'Delete')
  check(await sees(page, 'parts deleted'), 'a guest is deleted')
  check((await send('GET', GUEST)).status === 404, 'and is gone')
}

async function test(browser) {
  const { uuid } = await read(GUEST)
  const hash = `#/guest/kvm1/${uuid}/disks`
  const page = await open(browser, gateway, { token: MAY_ALL, hash })
  await testOff(page)
  await button(page, 'Start').click()
  check(await until(async () => /\/ #/.test(execFileSync('cat', [`${folder}/serial`], { encoding: 'utf8' }))), 'its kernel is up')
  await testDisc(page)
  await testDisk(page)
  await testNetwork(page)
  await testViewer(browser, hash)
  await testDelete(page)
}

async function prepare() {
  chmodSync(folder, 0o755) // QEMU reads the kernel
  execFileSync(path.join(root, 'tests/qemu/agent_image.sh'), [folder], { stdio: 'inherit' })
  gateway = await new Gateway('--host', `kvm1=${process.env.VG_QEMU_URI}`, '--token-file', writeTokens()).start()
  await make(`${HOST}/storage-pools`, JSON.stringify({ name: 'parts', path: path.join(folder, 'parts'), build: true, start: true }))
  for (const name of ['a.iso', 'b.iso']) writeFileSync(path.join(folder, 'parts', name), Buffer.alloc(MIB))
  await make(`${HOST}/storage-pools/parts/refresh`)
  await make(`${HOST}/storage-pools/parts/volumes`, JSON.stringify({ name: 'data.qcow2', capacityMiB: 16, format: 'qcow2' }))
  await make(`${HOST}/networks?start=true`, network, 'application/xml')
  await make(`${HOST}/domains`, guest, 'application/xml')
}

async function tidy() {
  await send('POST', `${GUEST}/destroy`)
  await send('DELETE', GUEST)
  for (const one of ['storage-pools/parts', 'networks/parts-net']) {
    await send('POST', `${HOST}/${one}/destroy`)
    await send('DELETE', `${HOST}/${one}`)
  }
}

async function main() {
  if (!process.env.VG_QEMU_URI) throw new Error('no libvirtd: run it by tests/run.sh browser')
  if (process.env.UI === 'no') {
    check(true, 'there is no console')
    return
  }
  await prepare()
  const browser = await launch()
  try {
    await test(browser)
  } catch (error) {
    check(false, 'the test went on', error.stack)
  } finally {
    await browser.close()
    await tidy()
  }
  await gateway.stop()
}

await main()
removeFolder()
report()
