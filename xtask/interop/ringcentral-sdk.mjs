// npm @ringcentral/sdk.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import ringcentral from '@ringcentral/sdk'
import { EXTENSION, assertRotated, assertTokens, expireAccessTokens, redirectUri, server, signIn, statusOf } from './platform.mjs'
import { environment, refused, walk } from './walk.mjs'

const secretApp = { clientId: environment('RC_CLIENT_ID'), clientSecret: environment('RC_CLIENT_SECRET') }
const publicApp = { clientId: environment('RC_PUBLIC_CLIENT_ID') }

// A cache of its own for each: clients that share one mix up their users.
function client(app, more = {}) {
  const cachePrefix = randomUUID()
  return new ringcentral.SDK({ server, redirectUri, cachePrefix, ...app, ...more }).platform()
}

async function call(platform) {
  const extension = await (await platform.get(EXTENSION)).json()
  assert.ok(extension.id, 'the extension has no id')
  return extension.id
}

async function codeFor(platform, url, state) {
  const answer = platform.parseLoginRedirect(`?${await signIn(url)}`)
  assert.equal(answer.state, state, 'the callback has another state')
  assert.ok(answer.code, 'the callback has no code')
  return answer
}

async function signedIn(platform, step, options) {
  const state = randomUUID()
  const url = await platform.loginUrlWithDiscovery({ state, ...options })
  const answer = await step('sign-in by form', () => codeFor(platform, url, state))
  await step('code', async () => {
    await platform.login(answer)
    assertTokens(await platform.auth().data())
  })
  return answer
}

async function aliveAndOver(platform, step) {
  await step('call', () => call(platform))
  await step('refresh', async () => {
    const before = await platform.auth().data()
    await platform.refresh()
    assertRotated(before, await platform.auth().data())
  })
  await step('refresh again', async () => {
    const before = await platform.auth().data()
    await platform.refresh()
    assertRotated(before, await platform.auth().data())
    await call(platform)
  })
  await step('expired access token', async () => {
    const before = await platform.auth().data()
    await expireAccessTokens()
    await call(platform)
    assertRotated(before, await platform.auth().data())
  })
  await step('parallel calls', () => Promise.all(Array.from({ length: 8 }, () => call(platform))))
  await step('parallel calls with an expired access token', async () => {
    await expireAccessTokens()
    await Promise.all(Array.from({ length: 8 }, () => call(platform)))
  })
  await revoked(platform, step)
}

async function revoked(platform, step) {
  await step('revoke', async () => {
    const { access_token: token } = await platform.auth().data()
    assert.equal(await statusOf(token), 200)
    await platform.logout()
    assert.equal(await statusOf(token), 401, 'the access token outlived the session')
    await refused(() => call(platform))
  })
}

await walk('app with a secret', async (step) => {
  const platform = client(secretApp)
  await signedIn(platform, step)
  await aliveAndOver(platform, step)
})

await walk('public app with PKCE', async (step) => {
  const platform = client(publicApp)
  await signedIn(platform, step, { usePKCE: true })
  await aliveAndOver(platform, step)
})

await walk('another verifier', async (step) => {
  const platform = client(publicApp)
  const state = randomUUID()
  const answer = await step('sign-in by form', () => codeFor(platform, platform.loginUrl({ state, usePKCE: true }), state))
  await step('refused', () => refused(() => platform.login({ ...answer, code_verifier: 'another'.repeat(7) }), 400))
})

await walk('personal JWT', async (step) => {
  const platform = client(secretApp)
  await step('JWT', async () => {
    await platform.login({ jwt: environment('RC_JWT') })
    assertTokens(await platform.auth().data())
  })
  await aliveAndOver(platform, step)
})

await walk('discovery', async (step) => {
  const platform = client(secretApp, { enableDiscovery: true, discoveryServer: server, discoveryAutoInit: false })
  await step('initial entry points', async () => {
    await platform.initDiscovery()
    const initial = await platform.discovery().initialData()
    assert.ok(initial.authApi.defaultTokenUri.startsWith(server), 'defaultTokenUri is not of this server')
  })
  const answer = await signedIn(platform, step)
  await step('callback names token_uri and discovery_uri', async () => {
    assert.ok(answer.token_uri?.startsWith(server), `token_uri is ${answer.token_uri}`)
    assert.ok(answer.discovery_uri?.startsWith(server), `discovery_uri is ${answer.discovery_uri}`)
  })
  await step('external entry points', async () => {
    const external = await platform.discovery().externalData()
    assert.ok(external.authApi.tokenUri.startsWith(server), 'tokenUri is not of this server')
    assert.ok(external.rcv.baseApiUri, 'rcv.baseApiUri is missing')
    assert.ok(external.tag, 'the answer had no Discovery-Tag')
  })
  await aliveAndOver(platform, step)
})

// With discovery this client keeps a timer for the next day, which would keep the process.
process.exit()
