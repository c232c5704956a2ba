-- Blocks whose addresses are only numbers (by default) or light userdata of Lua's.
package.cpath = os.getenv("BLOCKS_LUA")
local blocks = require("blocks")

local function hold(make, count)
    local held = {}
    for i = 1, count do held[i] = make() end
    return held
end

-- Numbers in the place of what was on the stack.
local function deep(n) if n > 0 then return 1 + deep(n - 1) end return 0 end

-- And in tables of all sizes, as they grow, in the place of tables that were.
local function bury()
    local others = {}
    for i = 1, 100 do others[i] = hold(function() return 1.5 end, 500) end
    deep(100)
    return others
end

print("blocks") -- before: the buffer would lie where a table was
local held = hold(blocks[arg[1] or "number"], 500)
print("kept", string.format("%d", blocks.churn()))
for i = 1, #held do held[i] = 0.5 end -- false would leave what was beside it
held = nil
collectgarbage()
local others = bury()
collectgarbage()
print("left", string.format("%d", blocks.churn()))
