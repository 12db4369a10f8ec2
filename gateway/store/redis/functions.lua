#!lua name=tensec_3
-- What Tensec runs in the server. Each call is atomic; none can be stopped half-way by a full memory, because Redis refuses a
-- function that may write (no flag `allow-oom`) before it begins.
--
-- Changed anything? Raise the number in all names: servers are shared, and other versions of Tensec call theirs.
-- Rows are opaque here but for guards': the JSON of others holds 63-bit ids, which Lua would round.

-- The keys that `open` and `commit` declare first, in this order: `meta` (a hash: schema, shards, owner, epoch, first, last) and
-- the journal's pages (a hash by number). `first` and `last` are the numbers of the pages that are kept.
local META, PAGES = 1, 2
local CHUNK = 1000 -- arguments of one command: Lua can unpack about 8,000, and the number is even, since some come in pairs

local function number(value)
    return tonumber(value) or 0
end

local function spelled(value)
    return string.format('%d', value)
end

-- Take the store over. Arguments: owner, '1' if that must be its owner already, the schema of what will be written, and shards of
-- a store that is made now.
-- Answers {'OWNER'} or {'OK', epoch, first, last, schema, shards}.
local function open(keys, args)
    local meta = keys[META]
    local owner, resumes, schema, shards = args[1], args[2] == '1', args[3], args[4]
    if resumes and redis.call('HGET', meta, 'owner') ~= owner then
        return { 'OWNER' }
    end
    if redis.call('EXISTS', meta) == 0 then
        redis.call('HSET', meta, 'schema', schema, 'shards', shards, 'first', '1', 'last', '0')
    end
    local found = redis.call('HMGET', meta, 'first', 'last', 'schema', 'shards')
    if number(found[3]) > number(schema) or found[4] ~= shards then
        return { 'OK', '', unpack(found) } -- the caller refuses it: nothing is touched
    end
    redis.call('HSET', meta, 'schema', schema, 'owner', owner)
    return { 'OK', spelled(redis.call('HINCRBY', meta, 'epoch', 1)), unpack(found) }
end

-- One write. Arguments: epoch, number, page, first page still needed; then groups of (command, index of its key, how many
-- arguments, arguments). Answers {'OK'}, or why not: {'EPOCH'}, {'GONE'}, {'GAP'}, {'FORK'} with what is there.
local function commit(keys, args)
    local meta, pages = keys[META], keys[PAGES]
    local at, page = number(args[2]), args[3]
    local found = redis.call('HMGET', meta, 'epoch', 'first', 'last')
    local epoch, first, last = number(found[1]), number(found[2]), number(found[3])
    if not found[1] or epoch < number(args[1]) then
        return { 'GONE', spelled(last) }
    elseif epoch > number(args[1]) then
        return { 'EPOCH', spelled(epoch) }
    elseif at <= last then -- a repeat, whose answer was lost
        local kept = redis.call('HGET', pages, spelled(at))
        return { (kept and kept ~= page) and 'FORK' or 'OK', spelled(last) }
    elseif at > last + 1 then
        return { 'GAP', spelled(last) }
    end

    redis.call('HSET', pages, spelled(at), page)
    local next = 5
    while next <= #args do
        local command, key, stop = args[next], keys[number(args[next + 1])], next + 2 + number(args[next + 2])
        next = next + 3
        while next <= stop do
            local to = math.min(next + CHUNK - 1, stop)
            redis.call(command, key, unpack(args, next, to))
            next = to + 1
        end
    end
    local keep_from = math.min(number(args[4]), at)
    for gone = first, keep_from - 1 do
        redis.call('HDEL', pages, spelled(gone))
    end
    -- Last, so that a write which failed inside (a key of a wrong type) is made again as a whole.
    redis.call('HSET', meta, 'first', spelled(math.max(first, keep_from)), 'last', spelled(at))
    return { 'OK', spelled(at) }
end

-- Whether anything in a row of guards can still refuse, or tell, anything: `useful` of guards.py.
local function matters(row, utc)
    local readable, entries = pcall(cjson.decode, row)
    if not readable or type(entries) ~= 'table' then
        return true
    end
    for _, times in pairs(entries) do
        local first = type(times) == 'table' and times[1]
        if type(first) ~= 'number' then
            return true -- of another version
        end
        if (first < 0 and times[#times] - first or first) > utc then
            return true
        end
    end
    return false
end

-- Take out guards that are over, of a part of them. Key: their hash. Arguments: the part (a cursor of HSCAN, '0' at first), how
-- many to look at, the time. Answers {the next part, '0' at the end; how many were taken out}. Looking and taking out is one
-- step, so a row that is written anew meanwhile stays.
local function sweep(keys, args)
    local found = redis.call('HSCAN', keys[1], args[1], 'COUNT', args[2])
    local rows, over, utc = found[2], {}, number(args[3])
    for at = 1, #rows, 2 do
        if not matters(rows[at + 1], utc) then
            over[#over + 1] = rows[at]
        end
    end
    for from = 1, #over, CHUNK do
        redis.call('HDEL', keys[1], unpack(over, from, math.min(from + CHUNK - 1, #over)))
    end
    return { found[1], #over }
end

redis.register_function('tensec_3_open', open)
redis.register_function('tensec_3_commit', commit)
redis.register_function('tensec_3_sweep', sweep)
