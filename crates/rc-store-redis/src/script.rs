//! The two writes, each one script: nobody sees half of it.

use redis::{Cmd, cmd};

/// Answers of the scripts.
pub(crate) const CONFLICT: i64 = 0;
pub(crate) const WRITTEN: i64 = 1;
/// The record already is what this write leaves: it was sent before.
pub(crate) const MINE: i64 = 2;

/// What a record was, and how an old due time leaves its index. A value that was damaged does not say
/// its due time; then its index is searched.
macro_rules! begin {
    () => {
        r"
local there = redis.call('EXISTS', KEYS[1]) == 1
local old = ''
if there then
  local read = redis.pcall('GETRANGE', KEYS[1], 0, 31)
  if type(read) == 'string' then old = read end
end
local version = string.sub(old, 1, 16)
local function refused(answer) return type(answer) == 'table' and answer.err end
local function forget_due()
  local due = string.sub(old, 17, 32)
  if due == '----------------' or not there then return end
  if redis.call('ZREM', KEYS[2], due .. ARGV[1]) == 1 then return end
  for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    if string.sub(member, 17) == ARGV[1] then redis.call('ZREM', KEYS[2], member) end
  end
end
"
    };
}

/// Keys: record, due, keys. Arguments: key, channel, notice, expected version or nothing, new version,
/// value, due time or nothing. The first command that writes is the one a server refuses (out of memory,
/// only to be read), so nothing is ever written in part.
const SAVE: &str = concat!(
    begin!(),
    r"
if there and version == ARGV[5] then return 2 end
if ARGV[4] == '' then
  if there then return 0 end
elseif version ~= ARGV[4] then
  return 0
end
local set = redis.pcall('SET', KEYS[1], ARGV[6])
if refused(set) then return set end
forget_due()
if ARGV[7] ~= '' then redis.call('ZADD', KEYS[2], 0, ARGV[7] .. ARGV[1]) end
if not there then redis.call('ZADD', KEYS[3], 0, ARGV[1]) end
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
"
);

/// Keys: record, due, keys. Arguments: key, channel, notice, expected version.
const DELETE: &str = concat!(
    begin!(),
    r"
if not there or version ~= ARGV[4] then return 0 end
local deleted = redis.pcall('DEL', KEYS[1])
if refused(deleted) then return deleted end
forget_due()
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
"
);

/// A script and its digest, by which a server knows it once it has run.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    code: &'static str,
    digest: String,
}

impl Script {
    pub(crate) fn save() -> Self {
        Self::new(SAVE)
    }

    pub(crate) fn delete() -> Self {
        Self::new(DELETE)
    }

    fn new(code: &'static str) -> Self {
        let digest = redis::Script::new(code).get_hash().to_owned();
        Self { code, digest }
    }
}

/// A script with what it is about.
pub(crate) struct Call<'a> {
    pub(crate) script: &'a Script,
    pub(crate) keys: [String; 3],
    pub(crate) arguments: Vec<&'a [u8]>,
}

impl Call<'_> {
    /// By its digest: short, and refused by a server that does not know the script.
    pub(crate) fn short(&self) -> Cmd {
        self.command("EVALSHA", &self.script.digest)
    }

    /// With its text, which the server then remembers.
    pub(crate) fn whole(&self) -> Cmd {
        self.command("EVAL", self.script.code)
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = cmd(name);
        command.arg(script).arg(self.keys.len()).arg(&self.keys);
        for argument in &self.arguments {
            command.arg(*argument);
        }
        command
    }
}
