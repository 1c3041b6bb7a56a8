// npm @rc-ex/core.
import assert from 'node:assert/strict'
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import RingCentral from '@rc-ex/core'
import { assertRotated, assertTokens, expireAccessTokens, redirectUri, server, signIn, statusOf } from './platform.mjs'
import { environment, refused, walk } from './walk.mjs'

const secretApp = { clientId: environment('RC_CLIENT_ID'), clientSecret: environment('RC_CLIENT_SECRET') }
const publicApp = { clientId: environment('RC_PUBLIC_CLIENT_ID') }

function client(app) {
  return new RingCentral({ server, ...app })
}

async function call(rc) {
  const extension = await rc.restapi().account().extension().get()
  assert.ok(extension.id, 'the extension has no id')
}

async function tokensOf(rc, grant) {
  await rc.authorize(grant)
  assertTokens(rc.token)
}

// This client has no call for the address of the sign-in page.
async function codeFor(app, more) {
  const state = randomUUID()
  const query = { response_type: 'code', client_id: app.clientId, redirect_uri: redirectUri, state, ...more }
  const answer = await signIn(`${server}/restapi/oauth/authorize?${new URLSearchParams(query)}`)
  assert.equal(answer.get('state'), state, 'the callback has another state')
  assert.ok(answer.get('code'), 'the callback has no code')
  return answer.get('code')
}

function challenge(verifier) {
  const hash = createHash('sha256').update(verifier).digest('base64url')
  return { code_challenge: hash, code_challenge_method: 'S256' }
}

async function refreshed(rc) {
  const before = rc.token
  await rc.refresh()
  assertRotated(before, rc.token)
}

async function aliveAndOver(rc, step) {
  await step('call', () => call(rc))
  await step('refresh', () => refreshed(rc))
  await step('refresh again', async () => {
    await refreshed(rc)
    await call(rc)
  })
  // This client leaves it to its user to refresh.
  await step('expired access token', async () => {
    await expireAccessTokens()
    await refused(() => call(rc), 401)
    await refreshed(rc)
    await call(rc)
  })
  await step('parallel calls', () => Promise.all(Array.from({ length: 8 }, () => call(rc))))
  await step('revoke', async () => {
    const { access_token: token } = rc.token
    assert.equal(await statusOf(token), 200)
    await rc.revoke()
    assert.equal(await statusOf(token), 401, 'the access token outlived the session')
  })
}

await walk('app with a secret', async (step) => {
  const rc = client(secretApp)
  const code = await step('sign-in by form', () => codeFor(secretApp))
  await step('code', () => tokensOf(rc, { code, redirect_uri: redirectUri }))
  await aliveAndOver(rc, step)
})

await walk('public app with PKCE', async (step) => {
  const rc = client(publicApp)
  const verifier = randomBytes(32).toString('base64url')
  const code = await step('sign-in by form', () => codeFor(publicApp, challenge(verifier)))
  await step('code', () => tokensOf(rc, { code, redirect_uri: redirectUri, code_verifier: verifier }))
  await aliveAndOver(rc, step)
})

await walk('another verifier', async (step) => {
  const code = await step('sign-in by form', () => codeFor(publicApp, challenge('one'.repeat(15))))
  const grant = { code, redirect_uri: redirectUri, code_verifier: 'another'.repeat(7) }
  await step('refused', () => refused(() => client(publicApp).authorize(grant), 400))
})

await walk('personal JWT', async (step) => {
  const rc = client(secretApp)
  await step('JWT', () => tokensOf(rc, { jwt: environment('RC_JWT') }))
  await aliveAndOver(rc, step)
})

// Before it has a token this client sends `Bearer undefined` there.
await walk('OpenID Connect documents', async (step) => {
  const rc = client(secretApp)
  await step('openid-configuration', async () => {
    const found = await rc.wellKnown().openidConfiguration().get()
    assert.ok(found.token_endpoint.startsWith(server), 'token_endpoint is not of this server')
  })
  await step('JWKS', async () => {
    const { keys } = await rc.restapi(null).oauth().jwks().get()
    assert.ok(keys.length > 0, 'there is no key')
  })
})
