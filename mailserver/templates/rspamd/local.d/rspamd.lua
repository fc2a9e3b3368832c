-- What KSC adds to Rspamd: whether the sender is proved, and the rejection that a mailbox's owner chose.
local rspamd_util = require "rspamd_util"
local rspamd_logger = require "rspamd_logger"
local lua_redis = require "lua_redis"

-- No more than lists can hold; whatever else is an address stands on none.
local PLAIN = "^[%w!#$%%&'*+/=?^_`{|}~.-]+@[%w.-]+$"

local function address_of(found)
  local address = found and found.addr and found.addr:lower()
  return address and address:match(PLAIN)
end

-- Whether a domain belongs to the same organisation as that of the From address ("aligned" in RFC 7489).
local function aligned(domain, from)
  return domain and domain ~= '' and rspamd_util.get_tld(domain:lower()) == rspamd_util.get_tld(from)
end

-- The one From address, if DMARC, an aligned DKIM signature, an aligned SPF record or a login as it proves it.
local function proved_sender(task)
  local from, fields = task:get_from('mime') or {}, task:get_header_full('From') or {}
  local address = #from == 1 and #fields == 1 and address_of(from[1])
  if not address then return nil end
  local domain, envelope = address:match('@(.*)$'), task:get_from('smtp')
  envelope = envelope and envelope[1]
  -- The second stands for the first where SPF or DKIM alone failed.
  if task:has_symbol('DMARC_POLICY_ALLOW') or task:has_symbol('DMARC_POLICY_ALLOW_WITH_FAILURES') then return address end
  if task:get_user() and address_of(envelope) == address then return address end
  if task:has_symbol('R_SPF_ALLOW') and envelope and aligned(envelope.domain, domain) then return address end
  for _, signature in ipairs(task:get_symbol('R_DKIM_ALLOW') or {}) do
    for _, option in ipairs(signature.options or {}) do
      if aligned(option:match('^([^:]+):'), domain) then return address end
    end
  end
end

-- Read by milter_headers, which names the sender in X-KSC-Auth.
rspamd_config:register_symbol {
  name = 'KSC_SENDER', type = 'postfilter',
  callback = function(task) task:cache_set('ksc_sender', proved_sender(task) or '') end,
}

-- What stands on a list where it means an address: filters_sender_keys in SQL.
local function keys_of(address, keys)
  local domain = address:match('@(.*)$')
  keys[#keys + 1] = address
  keys[#keys + 1] = '@' .. domain
  while domain:find('%.') do
    domain = domain:match('%.(.*)$')
    keys[#keys + 1] = '@*.' .. domain
  end
  return keys
end

-- Asked of Redis in one go: whether the recipient's owner wants a message of this score rejected, and no list names its
-- sender, for then the script at the mailbox decides.
local REJECTS = [[
local chosen = redis.call('HGET', KEYS[1], ARGV[1])
if not chosen then return 0 end
chosen = cjson.decode(chosen)
if tonumber(ARGV[2]) < chosen.threshold then return 0 end
for _, list in ipairs(chosen.lists) do
  for number = 4, #ARGV do
    local kind = number < 4 + tonumber(ARGV[3]) and ':allow' or ':block'
    if redis.call('SISMEMBER', list .. kind, ARGV[number]) == 1 then return 0 end
  end
end
return 1
]]

local redis = '@{redis}' ~= '' and lua_redis.try_load_redis_servers(
  { servers = '@{redis}', timeout = 1 }, rspamd_config, true)

local function reject(task)
  local recipients = task:get_recipients('smtp') or {}
  local recipient = #recipients == 1 and address_of(recipients[1])
  if not recipient then return end
  local proved, senders = proved_sender(task), task:get_from('mime') or {}
  local allowed = proved and keys_of(proved, {}) or {}
  local asked = { REJECTS, '1', 'ksc:rejects', recipient:gsub('%+[^@]*@', '@'), '', '' }
  asked[5], asked[6] = string.format('%.2f', task:get_metric_score('default')[1]), tostring(#allowed)
  for _, key in ipairs(allowed) do asked[#asked + 1] = key end
  senders[#senders + 1] = (task:get_from('smtp') or {})[1]
  for _, sender in ipairs(senders) do
    local address = address_of(sender)
    for _, key in ipairs(address and keys_of(address, {}) or {}) do asked[#asked + 1] = key end
  end
  lua_redis.redis_make_request(task, redis, recipient, false, function(err, answer)
    if err then
      rspamd_logger.warnx(task, 'nobody says who rejects spam, so nobody does: %s', err)
    elseif tonumber(answer) == 1 then
      task:set_pre_result { action = 'reject', module = 'ksc', message = 'Rejected as spam, as the recipient wishes' }
    end
  end, 'EVAL', asked)
end

if redis then
  rspamd_config:register_symbol { name = 'KSC_REJECT', type = 'postfilter', callback = reject }
end
