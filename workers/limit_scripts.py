"""The Lua scripts of limits.py and breaker.py: each is one atomic step, by the server's own clock.

Answers are `{verdict, milliseconds, record}`, the verdict one of ok, slots, window, pause, settling and forgotten.
The record names what Redis holds of all limits: another name than the one a process knows means that Redis has
forgotten them, by FLUSHALL or a restart without data.
"""

from __future__ import annotations

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

_PAUSED = """
local paused = redis.call('PTTL', pause)
if paused > 0 then return {'pause', paused, known_record} end
"""

# One record for all limits: a process that has called one vendor knows that the places at another's are forgotten.
_RECORD = """
local record, born, lost = unpack(redis.call('HMGET', fleet, 'record', 'born', 'lost'))
if not record then
  record, born = owner, now
  redis.call('HSET', fleet, 'record', record, 'born', born)
end
if known_record ~= '' and known_record ~= record then
  redis.call('HSETNX', fleet, 'lost', now)
  return {'forgotten', 0, record}
end
born, lost = tonumber(born), tonumber(lost)
"""

NOTICE = (
    """
local fleet, owner, known_record = KEYS[1], ARGV[1], ARGV[2]
"""
    + _NOW
    + _RECORD
    + """
return {'ok', 0, record}
"""
)

ENTER_SLOTS = (
    """
local slots, calls, doubted_key, pause, fleet = unpack(KEYS)
local owner, lease, at_once, quota = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local window, settle, doubt, known_record = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7], ARGV[8]
"""
    + _NOW
    + _PAUSED
    + _RECORD
    + """
if doubt == '1' then redis.call('SET', doubted_key, now, 'PX', math.max(window, settle, 1)) end
-- Those who held a place are writing it back: until all had the time, nobody knows how many are free.
if lost and now - lost < settle then return {'settling', lost + settle - now, record} end
local known_since = math.max(born, tonumber(redis.call('GET', doubted_key)) or 0)
if now - known_since < settle then at_once = math.max(1, math.floor(at_once / 2)) end
redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
if redis.call('ZCARD', slots) >= at_once then return {'slots', 0, record} end
if quota > 0 then
  -- The calls of processes that have ended since are told by nobody: half the quota, for one window.
  if now - known_since < window then quota = math.max(1, math.floor(quota / 2)) end
  redis.call('ZREMRANGEBYSCORE', calls, '-inf', now - window)
  local used = redis.call('ZCARD', calls)
  if used >= quota then
    -- Come back when a few calls fit, not when one does: a job makes several.
    local index = math.min(used - quota + math.max(1, math.floor(quota / 100)), used) - 1
    local entry = redis.call('ZRANGE', calls, index, index, 'WITHSCORES')
    return {'window', math.max(1, tonumber(entry[2]) + window - now + 1), record}
  end
  redis.call('ZADD', calls, now, owner)
  redis.call('PEXPIRE', calls, window)
end
redis.call('ZADD', slots, now + lease, owner)
redis.call('PEXPIRE', slots, lease * 2)
return {'ok', 0, record}
"""
)

# The calls that a process remembers, into a record that has forgotten them: its age and its owner, each.
REMEMBER = (
    """
local calls, window = KEYS[1], tonumber(ARGV[1])
"""
    + _NOW
    + """
for index = 2, #ARGV, 2 do redis.call('ZADD', calls, now - tonumber(ARGV[index]), ARGV[index + 1]) end
redis.call('PEXPIRE', calls, window)
return 0
"""
)

ENTER_HEADERS = (
    """
local flights, state, pause, fleet = unpack(KEYS)
local owner, lease, reserve, unknown, window =
  ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local settle, known_record = tonumber(ARGV[6]), ARGV[7]
"""
    + _NOW
    + _PAUSED
    + _RECORD
    + """
local known = redis.call('HMGET', state, 'left', 'reset', 'quota')
local left, reset = tonumber(known[1]), tonumber(known[2])
if not left or not reset or now >= reset then
  -- A window of which nothing was heard yet: a guess, which its first answer replaces.
  left, reset = tonumber(known[3]) or unknown, now + window
  redis.call('HSET', state, 'left', left, 'reset', reset, 'guess', 1)
end
redis.call('ZREMRANGEBYSCORE', flights, '-inf', now)
local under_way = redis.call('ZCARD', flights)
-- What was under way as Redis forgot it is not counted any more: one call at a time hears what is left.
if under_way > 0 and lost and now - lost < settle then return {'slots', 0, record} end
if left - under_way <= reserve then return {'window', reset - now, record} end
redis.call('ZADD', flights, now + lease, owner)
redis.call('PEXPIRE', flights, lease * 2)
return {'ok', 0, record}
"""
)

# Answers overtake each other: within a window the lowest number counts, a new window replaces it.
# A 429 is the vendor's last word: nothing is left until the end that it names, and then a new window begins,
# whatever was heard of this one before.
LEARN_HEADERS = (
    """
local state = KEYS[1]
local left, reset, quota, same = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local refused = ARGV[5] == '1'
"""
    + _NOW
    + """
local known = redis.call('HMGET', state, 'left', 'reset', 'guess')
local old_left, old_reset = tonumber(known[1]), tonumber(known[2])
if left < 0 then
  if old_left then redis.call('HSET', state, 'left', old_left - 1) end
  return 0
end
local ends = old_reset or now
if reset >= 0 then ends = now + reset end
if refused then
  left = 0
elseif old_left and old_reset and not known[3] and now < old_reset and ends < old_reset + same then
  left, ends = math.min(left, old_left), old_reset
end
redis.call('HSET', state, 'left', left, 'reset', ends)
redis.call('HDEL', state, 'guess')
if quota > 0 then redis.call('HSET', state, 'quota', quota) end
return 0
"""
)

# A 429 that names no time: twice as long each time, once per pause however many calls were under way.
# As long again without one, and the count begins anew: odd 429s through a night must not add up to a minute each.
PAUSE = """
local pause, strikes = unpack(KEYS)
local wait, first, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local left = redis.call('PTTL', pause)
if wait < 0 then
  if left > 0 then return left end
  local count = redis.call('INCR', strikes)
  wait = math.min(first * 2 ^ (count - 1), most)
  redis.call('PEXPIRE', strikes, wait * 2)
end
if wait > left then redis.call('SET', pause, 1, 'PX', math.max(1, math.floor(wait))) end
return math.floor(math.max(wait, left))
"""

RENEW = (
    """
local lease = tonumber(ARGV[1])
"""
    + _NOW
    + """
for index = 2, #ARGV do redis.call('ZADD', KEYS[1], now + lease, ARGV[index]) end
redis.call('PEXPIRE', KEYS[1], lease * 2)
return 0
"""
)

# 0 = go on; else the milliseconds until the next probe. Who finds the probe due takes it for the whole fleet.
BREAKER_CHECK = (
    """
local probe = tonumber(redis.call('HGET', KEYS[1], 'probe'))
if not probe then return 0 end
"""
    + _NOW
    + """
if now < probe then return probe - now end
redis.call('HSET', KEYS[1], 'probe', now + tonumber(ARGV[1]))
return 0
"""
)

# {1 = it has just opened, the milliseconds that it has been open or -1}
BREAKER_FAILED = (
    """
local every, most, keep = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
"""
    + _NOW
    + """
local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
redis.call('PEXPIRE', KEYS[1], keep)
if failures < most then return {0, -1} end
redis.call('HSET', KEYS[1], 'probe', now + every)
local opened = redis.call('HSETNX', KEYS[1], 'opened', now)
return {opened, now - tonumber(redis.call('HGET', KEYS[1], 'opened'))}
"""
)

# 1 = it has just closed.
BREAKER_SUCCEEDED = """
local open = redis.call('HEXISTS', KEYS[1], 'probe')
redis.call('DEL', KEYS[1])
return open
"""
