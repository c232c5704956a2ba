-- The work of the lua case. Each section prints one line that is a count or a checksum, the same on every
-- machine. Live data stays small, so that a collector which runs very often still finishes in time.

-- Park and Miller's generator; math.random's sequences may change between versions.
local function numbers(state)
    return function()
        state = state * 16807 % 2147483647
        return state
    end
end

local function checksum(...)
    local sum = 0xcbf29ce484222325
    for _, part in ipairs({...}) do
        part = tostring(part)
        for index = 1, #part do
            sum = (sum ~ part:byte(index)) * 1099511628211
        end
    end
    return ("%016x"):format(sum)
end

local function sorted_keys(map)
    local keys = {}
    for key in pairs(map) do keys[#keys + 1] = key end
    table.sort(keys)
    return keys
end

local sections = {}

function sections.tables()
    local next_number, map, list = numbers(3), {}, {}
    for step = 1, 300000 do
        local key = "key" .. next_number() % 3000
        if step % 3 == 0 then map[key] = nil else map[key] = {step, key, nested = {step % 10}} end
        list[#list + 1] = step
        if #list > 2000 then
            for _ = 1, 1000 do table.remove(list) end
        end
    end
    local parts = {}
    for _, key in ipairs(sorted_keys(map)) do
        parts[#parts + 1] = key .. map[key][1] .. map[key].nested[1]
    end
    table.sort(list, function(left, right)
        if left % 1000 ~= right % 1000 then return left % 1000 < right % 1000 end
        return left < right
    end)
    return checksum(table.concat(parts, ","), table.concat(list, ",", 1, 1000), select("#", table.unpack(list, 1, 200)))
end

function sections.coroutines()
    -- Thousands suspended at once, some of them dropped half way, some resumed to their end.
    local total, dropped = 0, 0
    for round = 1, 6 do
        local all = {}
        for index = 1, 3000 do
            all[index] = coroutine.wrap(function(start)
                local held = {start, tostring(index):rep(5)}
                for step = 1, 4 do
                    held[#held + 1] = coroutine.yield(held[1] + step)
                end
                return #held + #held[2]
            end)
            total = total + all[index](round)
        end
        for index = 1, 3000 do
            if index % 3 == 0 then
                all[index] = nil
                dropped = dropped + 1
            else
                for step = 1, 4 do total = total + all[index](step) end
            end
        end
    end
    local function walk(tree)
        if type(tree) == "table" then
            walk(tree[1])
            walk(tree[2])
        else
            coroutine.yield(tree)
        end
    end
    local function build(depth, name)
        return depth == 0 and name or {build(depth - 1, name * 2), build(depth - 1, name * 2 + 1)}
    end
    for leaf in coroutine.wrap(function() walk(build(13, 1)) end) do total = total + leaf % 7 end
    local closing = 0
    for index = 1, 1000 do
        local suspended = coroutine.create(function()
            local _ <close> = setmetatable({}, {__close = function() closing = closing + index end})
            coroutine.yield()
        end)
        coroutine.resume(suspended)
        assert(coroutine.close(suspended))
    end
    return total, dropped, closing
end

function sections.strings()
    local next_number, lines = numbers(5), {}
    for index = 1, 8000 do
        lines[index] = ("%d user%d@host%d.example"):format(next_number(), next_number() % 97, next_number() % 13)
    end
    local text = table.concat(lines, "\n")
    local hosts = {}
    for host in text:gmatch("@([%w.]+)") do hosts[host] = (hosts[host] or 0) + 1 end
    local swapped, count = text:gsub("(%d+) (%w+)@([%w.]+)", "%3:%2 %1")
    local grown = ""
    for index = 1, 3000 do
        grown = grown .. index
        if #grown > 4000 then grown = grown:sub(-1000):reverse():upper() end
    end
    local packed = {}
    for index = 1, 5000 do packed[index] = string.pack("<i4 z d", index, "name" .. index, index / 4) end
    local sum = 0
    for _, one in ipairs(packed) do
        local number, name, fraction = string.unpack("<i4 z d", one)
        sum = sum + number + #name + fraction * 4
    end
    return checksum(swapped, grown, hosts["host7.example"]), count, sum
end

function sections.closures()
    local counters = {}
    for index = 1, 20000 do
        local count, names = index, {}
        counters[index % 1000] = {
            add = function(more) count = count + more; names[#names + 1] = more .. "" end,
            show = function() return count + #names end,
        }
        counters[index % 1000].add(1)
    end
    local sum = 0
    for index = 0, 999 do sum = sum + counters[index].show() end
    local chain = function(value) return value end
    for step = 1, 150 do
        local inner = chain
        chain = function(value) return inner(value) + step end
    end
    for index = 1, 3000 do
        sum = sum + load("local value = ... return value * " .. index .. " + 1", "generated")(2)
    end
    return sum, chain(0)
end

-- Lua's own collector must find exactly what is dead, in both of its modes.
function sections.collection()
    local answers = {}
    for _, mode in ipairs({"generational", "incremental"}) do
        collectgarbage(mode)
        local finalized, weak = 0, setmetatable({}, {__mode = "k"})
        for _ = 1, 15 do
            local kept = {}
            for index = 1, 1000 do
                local left = setmetatable({}, {__gc = function() finalized = finalized + 1 end})
                local right = {left}
                left.other = right
                weak[left] = {right}
                if index % 10 == 0 then kept[#kept + 1] = right end
            end
            collectgarbage()
            collectgarbage()
            local alive = 0
            for _ in pairs(weak) do alive = alive + 1 end
            answers[#answers + 1] = #kept .. " " .. alive
        end
        collectgarbage("step", 100)
        collectgarbage()
        answers[#answers + 1] = finalized
    end
    collectgarbage("incremental")
    return checksum(table.concat(answers, ","))
end

function sections.recursion()
    local function depth(level) return level == 0 and 0 or 1 + depth(level - 1) end
    local function forever(...) return 1 + forever(..., 1) end
    local sum, caught = 0, 0
    for _ = 1, 2 do
        sum = sum + depth(100000)
        local done, message = pcall(forever, 1)
        if not done and tostring(message):find("stack overflow") then caught = caught + 1 end
    end
    local function nested(level)
        if level == 0 then error({code = 42}) end
        local done, problem = pcall(nested, level - 1)
        assert(not done)
        error(problem, 0)
    end
    local _, problem = pcall(nested, 100)
    return sum, caught, problem.code
end

function sections.children()
    local answers = {}
    for index = 1, 20 do
        local child = assert(io.popen("echo child " .. index .. " | tr a-z A-Z; exit " .. index))
        answers[#answers + 1] = child:read("a")
        local _, how, status = child:close()
        answers[#answers + 1] = how .. status
    end
    local name = os.tmpname()
    local file <close> = assert(io.open(name, "w+"))
    file:setvbuf("full", 65536)
    for index = 1, 20000 do file:write(index, "\n") end
    file:seek("set")
    local sum = 0
    for number in file:lines("n") do sum = sum + number end
    os.remove(name)
    return checksum(table.concat(answers)), sum
end

for _, name in ipairs(sorted_keys(sections)) do
    print(name, sections[name]())
end
