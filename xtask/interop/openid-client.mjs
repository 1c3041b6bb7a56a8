// npm openid-client, which RingCentral has nothing to do with: OpenID Connect as its specification has it.
import './web-crypto.mjs'
import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import * as oidc from 'openid-client'
import { EXTENSION, assertRotated, assertTokens, expireAccessTokens, redirectUri, server, signIn, statusOf } from './platform.mjs'
import { environment, refused, walk } from './walk.mjs'

// Without the second one this client trusts an ID token that came from the token endpoint unread.
const execute = [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks]

function discovered(clientId, authentication) {
  return oidc.discovery(new URL(server), clientId, undefined, authentication, { execute })
}

async function codeFor(config, scope = 'openid email profile') {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
  const checks = { pkceCodeVerifier, expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce(), idTokenExpected: true }
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope,
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  })
  const callback = new URL(redirectUri)
  callback.search = await signIn(url)
  return { callback, checks }
}

async function call(config, tokens) {
  const response = await oidc.fetchProtectedResource(config, tokens.access_token, new URL(server + EXTENSION), 'GET')
  assert.equal(response.status, 200)
  assert.ok((await response.json()).id, 'the extension has no id')
}

async function refreshed(config, before) {
  const after = await oidc.refreshTokenGrant(config, before.refresh_token)
  assertRotated(before, after)
  return after
}

async function wholeLife(step, configure) {
  const config = await step('openid-configuration', configure)
  const { callback, checks } = await step('sign-in by form', () => codeFor(config))
  let tokens = await step('code, PKCE and ID token', async () => {
    const answer = await oidc.authorizationCodeGrant(config, callback, checks)
    assertTokens(answer)
    return answer
  })
  const { sub } = tokens.claims()
  await step('userinfo', () => oidc.fetchUserInfo(config, tokens.access_token, sub))
  await step('call', () => call(config, tokens))
  await step('refresh', async () => { tokens = await refreshed(config, tokens) })
  await step('refresh again', async () => {
    tokens = await refreshed(config, tokens)
    await call(config, tokens)
  })
  await step('expired access token', async () => {
    await expireAccessTokens()
    await refused(() => oidc.fetchUserInfo(config, tokens.access_token, sub), 401)
    tokens = await refreshed(config, tokens)
    await oidc.fetchUserInfo(config, tokens.access_token, sub)
  })
  await step('parallel calls', () => Promise.all(Array.from({ length: 8 }, () => call(config, tokens))))
  await step('revoke', async () => {
    assert.equal(await statusOf(tokens.access_token), 200)
    await oidc.tokenRevocation(config, tokens.access_token)
    assert.equal(await statusOf(tokens.access_token), 401, 'the access token outlived the session')
  })
}

await walk('app with a secret', (step) => wholeLife(step, () =>
  discovered(environment('RC_CLIENT_ID'), oidc.ClientSecretBasic(environment('RC_CLIENT_SECRET')))))

await walk('public app', (step) => wholeLife(step, () => discovered(environment('RC_PUBLIC_CLIENT_ID'), oidc.None())))

await walk('another verifier', async (step) => {
  const config = await step('openid-configuration', () => discovered(environment('RC_PUBLIC_CLIENT_ID'), oidc.None()))
  const { callback, checks } = await step('sign-in by form', () => codeFor(config))
  const other = { ...checks, pkceCodeVerifier: oidc.randomPKCECodeVerifier() }
  await step('refused', () => refused(() => oidc.authorizationCodeGrant(config, callback, other), 400))
})

await walk('personal JWT', async (step) => {
  const config = await step('openid-configuration', () =>
    discovered(environment('RC_CLIENT_ID'), oidc.ClientSecretBasic(environment('RC_CLIENT_SECRET'))))
  await step('JWT', async () => {
    const grant = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
    const tokens = await oidc.genericGrantRequest(config, grant, { assertion: environment('RC_JWT') })
    assertTokens(tokens)
    await call(config, tokens)
  })
})

// Apps that sign assertions are registered only on some platforms: these walks run where one is named.
if (process.env.RC_CLIENT_SECRET_JWT_CLIENT_ID) {
  await walk('client_secret_jwt', (step) => wholeLife(step, () =>
    discovered(process.env.RC_CLIENT_SECRET_JWT_CLIENT_ID, oidc.ClientSecretJwt(environment('RC_CLIENT_SECRET_JWT_CLIENT_SECRET')))))
}

// The key is PKCS#8, DER in base64.
async function signingKey() {
  const der = Buffer.from(environment('RC_PRIVATE_KEY_JWT_KEY'), 'base64')
  const jwk = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' })
  return crypto.subtle.importKey('jwk', jwk, { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, false, ['sign'])
}

if (process.env.RC_PRIVATE_KEY_JWT_CLIENT_ID) {
  await walk('private_key_jwt', (step) => wholeLife(step, async () =>
    discovered(process.env.RC_PRIVATE_KEY_JWT_CLIENT_ID, oidc.PrivateKeyJwt(await signingKey()))))
}
