// Walks of named steps. Every step prints one line; a walk ends at its first step that fails, because the
// later ones build on it.
import assert from 'node:assert/strict'
import { clearTimeout, setTimeout } from 'node:timers'

// A client that waits for something that never comes must fail its step, not the whole run.
const STEP_LIMIT_MS = 15_000

class StepFailed extends Error {}

// Where one failure says enough, what would follow it is left out.
const untilFailure = process.env.RC_INTEROP_UNTIL_FAILURE === '1'

export async function walk(name, steps) {
  if (untilFailure && process.exitCode) return
  try {
    await steps((step, run) => perform(`${name}: ${step}`, run))
  } catch (error) {
    if (!(error instanceof StepFailed)) report(`${name}: between two steps`, error)
  }
}

async function perform(name, run) {
  let timer
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end within ${STEP_LIMIT_MS / 1000} s`)), STEP_LIMIT_MS)
  })
  try {
    const value = await Promise.race([run(), limit])
    console.log(`ok - ${name}`)
    return value
  } catch (error) {
    report(name, error)
    throw new StepFailed()
  } finally {
    clearTimeout(timer)
  }
}

function report(name, error) {
  console.log(`not ok - ${name}: ${sentence(error)}`)
  process.exitCode = 1
}

// One line. Some clients put the whole exchange, with its secrets, into their messages: only the start.
function sentence(error) {
  const cause = error?.cause?.message ?? error?.cause?.code
  const text = [error?.message ?? error, cause].filter(Boolean).join(' / ')
  return text.replace(/\s+/g, ' ').trim().slice(0, 160)
}

// The client refuses what it is given: `run` fails, with the expected status where one is named.
export async function refused(run, status) {
  let error
  try {
    await run()
  } catch (refusal) {
    error = refusal
  }
  assert.ok(error, 'nothing was refused')
  const found = error.response?.status ?? error.status
  if (status !== undefined) assert.equal(found, status, `refused with ${found} instead of ${status}`)
}

export function environment(name) {
  const value = process.env[name]
  assert.ok(value, `${name} is not set`)
  return value
}
